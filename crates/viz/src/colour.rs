/// An opaque 8-bit sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// White, the background of every figure.
    pub const WHITE: Rgb = Rgb::hex(0xffffff);
    /// Black.
    pub const BLACK: Rgb = Rgb::hex(0x000000);
    /// The grey of things that are there for comparison.
    pub const GREY: Rgb = Rgb::hex(0x8a8f98);

    /// The colour written `0xrrggbb`.
    ///
    /// ```
    /// assert_eq!(viz::Rgb::hex(0x3f90da), viz::Rgb(63, 144, 218));
    /// ```
    pub const fn hex(value: u32) -> Rgb {
        Rgb((value >> 16) as u8, (value >> 8) as u8, value as u8)
    }

    /// The point at `t` in [0, 1] on the straight line in sRGB from `self` to `other`.
    pub fn mix(self, other: Rgb, t: f64) -> Rgb {
        let channel = |a: u8, b: u8| {
            (f64::from(a) + (f64::from(b) - f64::from(a)) * t.clamp(0.0, 1.0)).round() as u8
        };
        Rgb(
            channel(self.0, other.0),
            channel(self.1, other.1),
            channel(self.2, other.2),
        )
    }

    /// A darker variant for outlines and text in the colour.
    pub fn darker(self) -> Rgb {
        self.mix(Rgb::BLACK, 0.35)
    }
}

/// The ten class colours, petroff10: the same class has the same colour in every figure.
///
/// Of the published ten-colour palettes it keeps the largest distance between its two nearest
/// colours under each kind of colour blindness (Petroff 2021, arXiv:2107.02270).
pub const PETROFF10: [Rgb; 10] = [
    Rgb::hex(0x3f90da),
    Rgb::hex(0xffa90e),
    Rgb::hex(0xbd1f01),
    Rgb::hex(0x94a4a2),
    Rgb::hex(0x832db6),
    Rgb::hex(0xa96b59),
    Rgb::hex(0xe76300),
    Rgb::hex(0xb9ac70),
    Rgb::hex(0x717581),
    Rgb::hex(0x92dadd),
];

/// A map from [0, 1] to colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourMap {
    /// Perceptually uniform, dark violet to yellow: densities, divergences, entropies.
    Viridis,
    /// Black to white, as the images are shown.
    Grey,
    /// White to slate: a density behind coloured layers.
    Slate,
    /// Blue over white to red: signed values about zero.
    Diverging,
}

// 33 samples of the published 256-entry table (van der Walt and Smith, CC0);
// linear interpolation between them is within one level of it.
const VIRIDIS: [u32; 33] = [
    0x440154, 0x470d60, 0x48186a, 0x482374, 0x472d7b, 0x453781, 0x424086, 0x3e4989, 0x3b528b,
    0x375b8d, 0x33638d, 0x2f6b8e, 0x2c728e, 0x297a8e, 0x26828e, 0x23898e, 0x21918c, 0x1f988b,
    0x1fa088, 0x22a785, 0x28ae80, 0x32b67a, 0x3fbc73, 0x4ec36b, 0x5ec962, 0x70cf57, 0x84d44b,
    0x98d83e, 0xaddc30, 0xc2df23, 0xd8e219, 0xece51b, 0xfde725,
];
// ColorBrewer RdBu (Brewer, Apache-2.0), reversed.
const DIVERGING: [u32; 17] = [
    0x053061, 0x175290, 0x2a71b2, 0x3f8ec0, 0x6bacd1, 0x9bc9e0, 0xc2ddec, 0xe0ecf3, 0xf7f6f6,
    0xfbe5d8, 0xfbccb4, 0xf5aa89, 0xe48066, 0xd05548, 0xba2832, 0x930e26, 0x67001f,
];
const GREY: [u32; 2] = [0x000000, 0xffffff];
const SLATE: [u32; 5] = [0xffffff, 0xe4e7eb, 0xc3c9d1, 0x9aa3af, 0x6b7684];

impl ColourMap {
    /// The colour at `t`, clamped to [0, 1]; NaN gives a light grey.
    ///
    /// ```
    /// use viz::{ColourMap, Rgb};
    /// assert_eq!(ColourMap::Viridis.at(0.0), Rgb::hex(0x440154));
    /// assert_eq!(ColourMap::Viridis.at(1.0), Rgb::hex(0xfde725));
    /// ```
    pub fn at(self, t: f64) -> Rgb {
        if t.is_nan() {
            return Rgb::hex(0xe4e6ea);
        }
        let table: &[u32] = match self {
            ColourMap::Viridis => &VIRIDIS,
            ColourMap::Grey => &GREY,
            ColourMap::Slate => &SLATE,
            ColourMap::Diverging => &DIVERGING,
        };
        let position = t.clamp(0.0, 1.0) * (table.len() - 1) as f64;
        let below = (position as usize).min(table.len() - 2);
        Rgb::hex(table[below]).mix(Rgb::hex(table[below + 1]), position - below as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_clamped_and_name_nan() {
        assert_eq!(ColourMap::Grey.at(-3.0), Rgb::BLACK);
        assert_eq!(ColourMap::Grey.at(7.0), Rgb::WHITE);
        assert_eq!(ColourMap::Grey.at(0.5), Rgb(128, 128, 128));
        assert_eq!(ColourMap::Viridis.at(f64::NAN), Rgb::hex(0xe4e6ea));
        let Rgb(r, g, b) = ColourMap::Diverging.at(0.5);
        assert!(r > 240 && g > 240 && b > 240, "zero is near white");
    }
}
