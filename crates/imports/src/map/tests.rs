use super::*;

fn tensor(name: &str, shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor {
        name: name.into(),
        shape: shape.into(),
        values: Some((0..count).map(|index| index as f32).collect()),
    }
}

fn refused(text: &str) -> String {
    let tensors = vec![
        tensor("fc.weight", &[4, 3]),
        tensor("fc.bias", &[4]),
        tensor("odd", &[2, 2, 2]),
    ];
    let error = NameMap::parse(text, "names.toml").and_then(|map| map.apply(tensors).map(drop));
    error.unwrap_err().to_string()
}

#[test]
fn wrong_maps_are_one_sentence() {
    for (text, expected) in [
        ("mu = ", "names.toml: line 1 is not valid TOML"),
        ("\n\nmu = fc22", "names.toml: line 3 is not valid TOML"),
        ("nu = \"fc\"", "nu is no layer of a model"),
        ("\"encoder.1\" = \"fc\"", "encoder.0, encoder.2"),
        ("mu = 3", "mu is wrong"),
        ("mu = { name = \"fc\", transposed = true }", "unknown field"),
        ("ignore = 3", "ignore is no list of names"),
        (
            "mu = \"fd\"",
            "names fd for mu, which the file has not; it has fc.weight 4×3",
        ),
        (
            "\"mu.bias\" = { name = \"fc.bias\", transpose = true }",
            "mu.bias is transposed, but a bias is no matrix",
        ),
        (
            "\"likelihood.log_sigma\" = { name = \"s\", rows = [0, 1] }",
            "likelihood.log_sigma has more than a name",
        ),
        (
            "\"mu.weight\" = \"fc.weight\"\n\"mu.bias\" = { name = \"fc.bias\", rows = [0, 5] }",
            "rows 0 to 5 of fc.bias for mu.bias, which has 4 outputs",
        ),
        ("\"mu.bias\" = \"fc.bias\"", "a bias for mu, but no weight"),
        ("mu = \"odd\"", "its shape is 2×2×2; expected a matrix"),
        (
            "mu = { name = \"fc\", rows = [2, 5] }",
            "which has 4 outputs",
        ),
        (
            "mu = { name = \"fc\", transpose = true }",
            "a bias of 4 values and a weight of 3 outputs",
        ),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn rows_and_directions_are_taken_as_said() {
    let map = "\
        mu = { name = \"head\", rows = [0, 2] }\n\
        log_var = { name = \"head\", rows = [2, 4] }\n\
        ignore = [\"classifier.\", \"count\"]\n";
    let map = NameMap::parse(map, "names.toml").expect("a map");
    let tensors = vec![
        tensor("head.kernel", &[3, 4]),
        tensor("head.bias", &[4]),
        tensor("classifier.0.weight", &[2, 2]),
        tensor("count", &[]),
        tensor("rest.weight", &[1, 1]),
    ];
    let applied = map.apply(tensors).expect("all there");
    let names: Vec<&str> = applied
        .rest
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    assert_eq!(names, ["rest.weight"]);
    assert_eq!(applied.scale, Some(PosteriorScale::LogVariance));
    let [log_var, mu] = applied.layers.as_slice() else {
        panic!("two layers");
    };
    assert_eq!(
        (mu.place, log_var.place),
        (Some(Place::Mean), Some(Place::Scale))
    );
    assert_eq!(mu.weight, [0.0, 4.0, 8.0, 1.0, 5.0, 9.0]);
    assert_eq!(log_var.weight, [2.0, 6.0, 10.0, 3.0, 7.0, 11.0]);
    assert_eq!(
        (mu.bias.as_slice(), log_var.bias.as_slice()),
        (&[0.0, 1.0][..], &[2.0, 3.0][..])
    );
    assert_eq!(mu.name, "head[0..2]");
}

#[test]
fn a_bias_has_rows_of_its_own() {
    let map = "\
        \"mu.weight\" = { name = \"head.weight\", rows = [2, 4] }\n\
        \"mu.bias\" = { name = \"offsets\", rows = [1, 3] }\n";
    let map = NameMap::parse(map, "names.toml").expect("a map");
    let tensors = vec![tensor("head.weight", &[4, 3]), tensor("offsets", &[5])];
    let applied = map.apply(tensors).expect("all there");
    let mu = &applied.layers[0];
    assert_eq!((mu.inputs, mu.outputs), (3, 2));
    assert_eq!(mu.weight, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
    assert_eq!(mu.bias, [1.0, 2.0]);
}

#[test]
fn a_square_layer_that_is_named_lies_as_the_others_do() {
    let square = [tensor("a.w", &[2, 2]), tensor("a.b", &[2])];
    let other = [tensor("b.w", &[3, 2]), tensor("b.b", &[2])];
    for (map, others) in [
        ("\"encoder.0\" = \"a\"", "the others of the file"),
        ("\"encoder.0\" = \"a\"\nmu = \"b\"", "the others of the map"),
    ] {
        let map = NameMap::parse(map, "names.toml").expect("a map");
        let applied = map
            .apply([&square[..], &other[..]].concat())
            .expect("all there");
        let layer = applied.layers.iter().find(|layer| layer.name == "a");
        let layer = layer.expect("named");
        assert_eq!(layer.weight, [0.0, 2.0, 1.0, 3.0], "{others}");
        assert!(layer.was_transposed && layer.is_direction_guessed);
        assert_eq!(applied.direction, Some(Direction::InputsFirst));
    }
    // What is said of one weight is said of it alone.
    let map = "\"encoder.0\" = { name = \"a\", transpose = false }";
    let map = NameMap::parse(map, "names.toml").expect("a map");
    let applied = map
        .apply([&square[..], &other[..]].concat())
        .expect("all there");
    assert_eq!(applied.layers[0].weight, [0.0, 1.0, 2.0, 3.0]);
}
