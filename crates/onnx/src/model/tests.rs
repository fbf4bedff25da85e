use super::*;
use crate::graph::GraphBuilder;
use crate::limits::MAXIMUM_PARTS;
use crate::proto::{TensorProto, data_type};
use crate::tensor::Elements;

/// A model of one tensor.
fn holding(tensor: TensorProto) -> Vec<u8> {
    let graph = GraphProto {
        initializer: vec![tensor],
        ..GraphProto::default()
    };
    let proto = ModelProto {
        graph: Some(graph),
        ..ModelProto::default()
    };
    proto.encode_to_vec()
}

fn tensor(dims: &[i64], number_type: i32) -> TensorProto {
    TensorProto {
        name: Some("w".into()),
        dims: dims.to_vec(),
        data_type: Some(number_type),
        ..TensorProto::default()
    }
}

#[track_caller]
fn elements(tensor: TensorProto) -> Elements {
    let model = Model::decode(&holding(tensor)).unwrap();
    model.initialisers[0].elements.clone()
}

#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    Model::decode(bytes).unwrap_err().to_string()
}

#[test]
fn bytes_are_those_of_the_format() {
    // Written down from onnx.proto by hand: key (number << 3 | kind), length, content.
    let mut graph = GraphBuilder::new("g");
    let x = graph.input("x", 2);
    let w = graph.floats("w", &[1], vec![1.0]);
    let y = graph.node("Mul", &[&x, &w], "y", []);
    graph.output(&y, 2);
    let bytes = graph.finish(9, &[("k", "v")]).encode().unwrap();
    let node = b"\x0a\x01x\x0a\x01w\x12\x01y\x1a\x01y\x22\x03Mul";
    let constant = b"\x08\x01\x10\x01\x42\x01w\x4a\x04\x00\x00\x80\x3f";
    let rows = b"\x12\x0f\x0a\x0d\x08\x01\x12\x09\x0a\x03\x12\x01n\x0a\x02\x08\x02";
    let field = |key: u8, content: &[u8]| {
        let mut field = vec![key, content.len() as u8];
        field.extend_from_slice(content);
        field
    };
    let value = |name: &[u8]| [field(0x0a, name), rows.to_vec()].concat();
    let content = [
        field(0x0a, node),
        field(0x12, b"g"),
        field(0x2a, constant),
        field(0x5a, &value(b"x")),
        field(0x62, &value(b"y")),
    ];
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let expected = [
        vec![0x08, 0x04],
        field(0x12, b"latent-atlas"),
        field(0x1a, version),
        field(0x3a, &content.concat()),
        field(0x42, b"\x0a\x00\x10\x09"),
        field(0x72, b"\x0a\x01k\x12\x01v"),
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn what_is_built_is_read_back() {
    let mut graph = GraphBuilder::new("g");
    let x = graph.input("x", 3);
    let w = graph.floats(
        "w",
        &[2, 3],
        vec![1.0, -2.0, 0.5, 0.0, f32::MIN_POSITIVE, 3.0],
    );
    let b = graph.number("b", -0.0);
    let sums = graph.dense(&x, &w, &b, "sums");
    let attributes = [
        ("alpha", AttributeValue::Float(0.0)),
        ("count", AttributeValue::Integer(-3)),
        ("mode", AttributeValue::Text("constant".into())),
        ("weights", AttributeValue::Floats(vec![0.5, 2.0])),
        ("axes", AttributeValue::Integers(vec![0, -1])),
        (
            "words",
            AttributeValue::Texts(vec!["a".into(), String::new()]),
        ),
        (
            "value",
            AttributeValue::Tensor(Tensor {
                name: String::new(),
                shape: vec![],
                elements: Elements::Integers(vec![-7]),
            }),
        ),
    ];
    let attributes = attributes.map(|(name, value)| Attribute {
        name: name.into(),
        value,
    });
    let y = graph.node("Anything", &[&sums], "y", attributes.clone());
    graph.output(&y, 2);
    let model = Model::decode(&graph.finish(9, &[]).encode().unwrap()).unwrap();
    assert_eq!(model.ir_version, 4);
    assert_eq!(model.opset(), Some(9));
    assert!(model.producer.starts_with("latent-atlas "));
    let shape = |width| Some(vec![Size::Free("n".into()), Size::Fixed(width)]);
    let value = |name: &str, width| Value {
        name: name.into(),
        shape: shape(width),
    };
    assert_eq!(model.inputs, [value("x", 3)]);
    assert_eq!(model.outputs, [value("y", 2)]);
    assert_eq!(model.initialiser("w").unwrap().shape, [2, 3]);
    assert_eq!(model.nodes[0].operator, "Gemm");
    assert_eq!(model.nodes[0].integer("transB"), Some(1));
    assert_eq!(model.nodes[0].inputs, ["x", "w", "b"]);
    let node = &model.nodes[1];
    assert_eq!(node.attributes, attributes);
    assert_eq!(node.float("alpha"), Some(0.0));
    assert_eq!(node.integers("axes"), Some([0, -1].as_slice()));
    assert_eq!(
        node.tensor("value").unwrap().integers(),
        Some([-7].as_slice())
    );
    assert_eq!(node.attribute("beta"), None);
    assert_eq!(node.float("count"), None);
}

#[test]
fn numbers_are_read_however_they_are_held() {
    let values = vec![1.5_f32, -0.25];
    let floats = Elements::Floats(values.clone());
    let raw_of = |number_type, raw: Vec<u8>| TensorProto {
        raw_data: Some(raw),
        ..tensor(&[2], number_type)
    };
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(elements(raw_of(data_type::FLOAT, raw)), floats);
    let mut proto = tensor(&[2], data_type::FLOAT);
    proto.float_data = values.clone();
    assert_eq!(elements(proto), floats);
    let raw = values.iter().flat_map(|&v| f64::from(v).to_le_bytes());
    assert_eq!(elements(raw_of(data_type::DOUBLE, raw.collect())), floats);
    let mut proto = tensor(&[1, 2], data_type::DOUBLE);
    proto.double_data = vec![1.5, -0.25];
    assert_eq!(elements(proto), floats);
    // 1.5 and −0.25 as IEEE 754 has them in 16 bits, and the upper halves of 32.
    for (number_type, bits) in [
        (data_type::FLOAT16, [0x3e00_u16, 0xb400]),
        (data_type::BFLOAT16, [0x3fc0, 0xbe80]),
    ] {
        let raw = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
        assert_eq!(elements(raw_of(number_type, raw)), floats);
        let mut proto = tensor(&[2], number_type);
        proto.int32_data = bits.map(i32::from).to_vec();
        assert_eq!(elements(proto), floats);
    }
    let integers = Elements::Integers(vec![-1, 784]);
    let raw = [-1_i64, 784].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(elements(raw_of(data_type::INT64, raw)), integers);
    let mut proto = tensor(&[2], data_type::INT64);
    proto.int64_data = vec![-1, 784];
    assert_eq!(elements(proto), integers);
    let raw = [-1_i32, 784].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(elements(raw_of(data_type::INT32, raw)), integers);
    let mut proto = tensor(&[2], data_type::INT32);
    proto.int32_data = vec![-1, 784];
    assert_eq!(elements(proto), integers);
    // A single number has no sizes; a size of nought leaves none.
    let mut proto = tensor(&[], data_type::FLOAT);
    proto.float_data = vec![2.0];
    assert_eq!(elements(proto), Elements::Floats(vec![2.0]));
    assert_eq!(
        elements(tensor(&[3, 0], data_type::FLOAT)),
        Elements::Floats(vec![])
    );
    assert_eq!(elements(tensor(&[3], 8)), Elements::Other(8));
}

#[test]
fn tensors_without_their_numbers_are_refused() {
    for (dims, found) in [
        (vec![i64::MAX, i64::MAX], "shape"),
        (vec![-1, 2], "shape [-1, 2]"),
        (vec![1 << 20, 1 << 20], "shape [1048576, 1048576]"),
        (vec![1 << 20], "0 numbers; expected the 1048576"),
        (vec![], "0 numbers; expected the 1"),
    ] {
        let message = refusal(&holding(tensor(&dims, data_type::FLOAT)));
        assert!(message.contains(found), "{message}");
    }
    let mut proto = tensor(&[1], data_type::FLOAT);
    proto.raw_data = Some(vec![0; 5]);
    let message = refusal(&holding(proto));
    assert!(message.contains("5 bytes"), "{message}");
    let mut proto = tensor(&[1], data_type::FLOAT);
    proto.data_location = Some(1);
    proto.external_data = vec![StringStringEntryProto {
        key: Some("location".into()),
        value: Some("../w.bin".into()),
    }];
    let message = refusal(&holding(proto));
    assert_eq!(
        message,
        "the tensor w is kept in the file ../w.bin beside the model; expected its numbers in the model, as torch.onnx.export writes them with external_data=False, or onnx.save with save_as_external_data=False"
    );
}

#[test]
fn constants_among_the_inputs_are_not_inputs() {
    let value = |name: &str| ValueInfoProto {
        name: Some(name.into()),
        ..ValueInfoProto::default()
    };
    let graph = GraphProto {
        input: vec![value("x"), value("w")],
        initializer: vec![tensor(&[0], data_type::FLOAT)],
        ..GraphProto::default()
    };
    let proto = ModelProto {
        graph: Some(graph),
        ..ModelProto::default()
    };
    let model = Model::decode(&proto.encode_to_vec()).unwrap();
    let names: Vec<_> = model.inputs.iter().map(|input| &input.name).collect();
    assert_eq!(names, ["x"]);
    assert_eq!(model.inputs[0].shape, None);
    assert_eq!(model.opset(), None);
}

#[test]
fn attributes_without_a_type_are_what_they_hold() {
    let attribute = AttributeProto {
        name: Some("axis".into()),
        i: Some(1),
        ..AttributeProto::default()
    };
    let read = Attribute::read(attribute).unwrap();
    assert_eq!(read.value, AttributeValue::Integer(1));
    let of_graph = AttributeProto {
        r#type: Some(5),
        ..AttributeProto::default()
    };
    let read = Attribute::read(of_graph).unwrap();
    assert_eq!(read.value, AttributeValue::Other(5));
}

#[test]
fn bytes_that_are_no_model_are_refused() {
    for (bytes, found) in [
        (b"".as_slice(), "no graph"),
        (b"PK\x03\x04", "no ONNX model"),
        (b"\x89PNG\r\n\x1a\n", "no ONNX model"),
        (
            b"\x3a\xff\xff\xff\xff\x0f",
            "longer than what holds it at byte 0",
        ),
        (b"\x3a\x80", "within a number at byte 1"),
        (
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            "more than ten bytes",
        ),
        (b"\x3b", "unknown kind"),
        (b"\x00\x00", "without a valid number"),
        // A graph that is a number.
        (b"\x38\x01", "messages of onnx.proto"),
        // A name that is no text.
        (b"\x12\x01\xff", "messages of onnx.proto"),
    ] {
        let message = refusal(bytes);
        assert!(message.contains(found), "{message}");
        assert!(message.contains("; expected "), "{message}");
    }
}

#[test]
fn files_of_countless_messages_are_refused_before_they_are_held() {
    // Empty nodes, two bytes each.
    let mut graph: Vec<u8> = b"\x0a\x00".repeat(MAXIMUM_PARTS);
    let whole = |graph: &[u8]| {
        let mut bytes = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut bytes);
        bytes.extend_from_slice(graph);
        bytes
    };
    let message = refusal(&whole(&graph));
    assert!(message.contains("more than 65536"), "{message}");
    graph.truncate(2 * (MAXIMUM_PARTS - 1));
    let model = Model::decode(&whole(&graph)).unwrap();
    assert_eq!(model.nodes.len(), MAXIMUM_PARTS - 1);
}

#[test]
fn every_cut_and_every_changed_byte_is_survived() {
    let mut graph = GraphBuilder::new("g");
    let x = graph.input("x", 2);
    let w = graph.floats("w", &[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
    let b = graph.floats("b", &[2], vec![1.0, 2.0]);
    let y = graph.dense(&x, &w, &b, "y");
    graph.output(&y, 2);
    let bytes = graph.finish(9, &[("k", "v")]).encode().unwrap();
    for end in 0..bytes.len() {
        let _ = Model::decode(&bytes[..end]);
    }
    for position in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[position] = value;
            let _ = Model::decode(&changed);
        }
    }
}
