use super::*;

fn layer(name: &str, inputs: usize, outputs: usize) -> Layer {
    Layer {
        name: name.into(),
        inputs,
        outputs,
        weight: vec![0.0; inputs * outputs],
        bias: vec![0.0; outputs],
        has_bias: true,
        was_transposed: false,
        is_direction_guessed: false,
        takes: None,
        place: None,
    }
}

fn arranged(layers: &[Layer]) -> Arrangement {
    Arrangement::of(layers, None, None).expect("an autoencoder")
}

fn refused(layers: &[Layer]) -> String {
    Arrangement::of(layers, None, None).unwrap_err().to_string()
}

#[test]
fn every_order_of_telling_widths_gives_one_model() {
    let layers = [
        layer("a", 9, 7),
        layer("b", 7, 2),
        layer("c", 7, 2),
        layer("d", 2, 7),
        layer("e", 7, 9),
    ];
    let found = arranged(&layers);
    assert_eq!(
        (found.encoder, found.head, found.decoder),
        (vec![0], Head::Two(1, 2), vec![3, 4])
    );
    let mut reversed = layers.to_vec();
    reversed.reverse();
    let found = Arrangement::of(&reversed, Some(9), None).expect("an autoencoder");
    assert_eq!(
        (found.encoder, found.head, found.decoder),
        (vec![4], Head::Two(2, 3), vec![1, 0])
    );
}

#[test]
fn names_keep_square_layers_apart() {
    let layers = [
        layer("dec.out", 5, 5),
        layer("dec.in", 5, 5),
        layer("log_var", 5, 5),
        layer("mu", 5, 5),
        layer("enc", 5, 5),
    ];
    let found = arranged(&layers);
    assert_eq!(
        (found.encoder.as_slice(), found.head),
        (&[4][..], Head::Two(3, 2))
    );
    assert_eq!(found.decoder, [0, 1]);
    let guesses = found.guesses(&layers, false, false).join("\n");
    assert!(
        guesses.contains("dec.out, dec.in have the same widths"),
        "{guesses}"
    );
}

#[test]
fn one_head_is_a_code_or_both_halves() {
    let code = arranged(&[layer("a", 9, 4), layer("b", 4, 9)]);
    assert_eq!(
        (code.head, code.latent, code.inputs),
        (Head::Single(0), 4, 9)
    );
    let shared = arranged(&[layer("a", 9, 4), layer("b", 2, 9)]);
    assert_eq!((shared.head, shared.latent), (Head::Shared(0), 2));
    // Without names it could be read from its other end.
    let doubled = arranged(&[layer("enc", 9, 4), layer("dec", 4, 18)]);
    assert!(doubled.is_doubled && !code.is_doubled);
}

#[test]
fn what_is_no_mirror_is_said_so() {
    let message = refused(&[
        layer("encoder.0", 9, 6),
        layer("encoder.2", 6, 2),
        layer("decoder.0", 2, 5),
        layer("decoder.2", 5, 9),
    ]);
    assert!(message.contains("9-6-2 and the decoder 2-5-9"), "{message}");
    let message = refused(&[layer("a", 9, 6), layer("b", 5, 9)]);
    assert!(
        message.contains("a 9→6, b 5→9") && message.contains("--map"),
        "{message}"
    );
    assert!(refused(&[]).contains(": none;"));
    let many = vec![layer("a", 2, 2); 201];
    assert!(
        check_widths(&many)
            .unwrap_err()
            .to_string()
            .contains("201 dense layers")
    );
    assert!(
        check_widths(&[layer("a", 0, 2)])
            .unwrap_err()
            .to_string()
            .contains("0→2")
    );
}

#[test]
fn the_search_ends_where_nothing_fits() {
    // All alike but the last: every order of the others would be tried.
    let mut layers: Vec<Layer> = (0..60)
        .map(|index| layer(&index.to_string(), 5, 5))
        .collect();
    layers.push(layer("last", 5, 7));
    let began = std::time::Instant::now();
    refused(&layers);
    assert!(began.elapsed().as_secs() < 20);
}
