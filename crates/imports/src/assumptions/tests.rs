use super::*;

#[test]
fn a_plain_sigma_has_to_be_declared() {
    let of = |declared: &Declared, used, name: &str| {
        let mut assumed = Vec::new();
        scale_of(declared, None, used, name, &mut assumed).map(|scale| (scale, assumed.len()))
    };
    let silent = Declared::default();
    let unknown = ScaleUse::Unknown;
    let (variance, sigma) = (PosteriorScale::LogVariance, PosteriorScale::LogSigma);
    assert_eq!(
        of(&silent, unknown, "fc22").expect("assumed"),
        (variance, 1)
    );
    assert_eq!(
        of(&silent, unknown, "variance").expect("assumed and said"),
        (variance, 1)
    );
    assert_eq!(
        of(&silent, unknown, "log_var").expect("named"),
        (variance, 0)
    );
    assert_eq!(of(&silent, unknown, "log_std").expect("named"), (sigma, 0));
    assert_eq!(
        of(&silent, ScaleUse::LogSigma, "fc22").expect("used"),
        (sigma, 0)
    );
    for (used, name) in [(unknown, "fc_sigma"), (ScaleUse::Softplus, "fc22")] {
        let message = of(&silent, used, name).unwrap_err().to_string();
        assert!(message.contains("--posterior-scale"), "{message}");
    }
    let declared = Declared {
        posterior_scale: Some(sigma),
        ..silent
    };
    assert_eq!(
        of(&declared, unknown, "fc_sigma").expect("declared"),
        (sigma, 0)
    );
}
