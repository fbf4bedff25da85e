use crate::{Dash, Label, Labels, Layer, Line, Placing, Point, Points, Rgb, Shape};

/// Rings with words beside them, on top of a scatter: points that are decoded or discussed.
pub fn marks(marked: &[([f64; 2], String)], colour: Rgb) -> Vec<Layer> {
    vec![
        Layer::Points(Points {
            points: marked
                .iter()
                .map(|(at, _)| Point { at: *at, colour })
                .collect(),
            radius: 5.5,
            shape: Shape::Ring,
            rim: Some(Rgb::WHITE),
            ..Points::default()
        }),
        Layer::Labels(Labels {
            labels: marked
                .iter()
                .map(|(at, text)| Label {
                    at: *at,
                    text: text.clone(),
                    colour,
                })
                .collect(),
            size: 12.0,
            offset: [0.0, 15.0],
            placing: Placing::Around,
            ..Labels::default()
        }),
    ]
}

/// A dashed rectangle: the extent of the codes, or the region that a map covers.
pub fn extent(x: [f64; 2], y: [f64; 2], colour: Rgb) -> Layer {
    Layer::Line(Line {
        points: vec![
            [x[0], y[0]],
            [x[1], y[0]],
            [x[1], y[1]],
            [x[0], y[1]],
            [x[0], y[0]],
        ],
        colour,
        width: 1.4,
        dash: Dash::Dashed,
        ..Line::default()
    })
}
