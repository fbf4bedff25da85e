use super::*;

#[test]
fn names_are_in_the_order_of_their_numbers() {
    let mut names = vec![
        "fc10",
        "fc2",
        "fc21",
        "dense_1",
        "dense",
        "encoder.2.w",
        "encoder.10.w",
        "encoder.0.w",
    ];
    names.sort_by_key(|name| natural(name));
    assert_eq!(
        names,
        [
            "dense",
            "dense_1",
            "encoder.0.w",
            "encoder.2.w",
            "encoder.10.w",
            "fc2",
            "fc10",
            "fc21"
        ]
    );
    assert!(natural("99999999999999999999999") > natural("5"));
}
