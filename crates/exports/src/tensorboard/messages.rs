//! The messages of event files, as far as they are written here.
//!
//! Numbers are those of `event.proto`, `summary.proto`, `tensor.proto` and
//! `tensor_shape.proto` in `tensorboard/compat/proto`; fields that are not written
//! are left out, and skipped where they are read.

/// One record: something that happened at a step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// Seconds since 1970; of a run that has ended, seconds of training.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    /// The epoch.
    #[prost(int64, tag = "2")]
    pub step: i64,
    /// What.
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub what: Option<What>,
}

/// What happened.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum What {
    /// The format of the file: its first record.
    #[prost(string, tag = "3")]
    FileVersion(String),
    /// Values.
    #[prost(message, tag = "5")]
    Summary(Summary),
    /// That a program has begun to write.
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

/// That a program has begun or ended: readers forget what they have seen of later
/// steps.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionLog {
    /// 1 where it has begun.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

/// Values of one step.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Summary {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub value: Vec<Value>,
}

/// A named value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    /// Its name; what stands before a slash groups.
    #[prost(string, tag = "1")]
    pub tag: String,
    /// What shows it, where its kind does not tell.
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<SummaryMetadata>,
    /// What it is.
    #[prost(oneof = "Content", tags = "2, 4, 5, 8")]
    pub content: Option<Content>,
}

/// What a value is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Content {
    /// A number.
    #[prost(float, tag = "2")]
    Scalar(f32),
    /// A picture.
    #[prost(message, tag = "4")]
    Image(Image),
    /// How many values lie where.
    #[prost(message, tag = "5")]
    Histogram(Histogram),
    /// An array; of texts here.
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

/// Which plugin shows a value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SummaryMetadata {
    /// The plugin.
    #[prost(message, optional, tag = "1")]
    pub plugin_data: Option<PluginData>,
    /// The kind of data: 2 is an array of any length.
    #[prost(int32, tag = "4")]
    pub data_class: i32,
}

/// A plugin's name.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PluginData {
    /// `text` here.
    #[prost(string, tag = "1")]
    pub plugin_name: String,
}

/// A picture.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Image {
    /// Pixels.
    #[prost(int32, tag = "1")]
    pub height: i32,
    /// Pixels.
    #[prost(int32, tag = "2")]
    pub width: i32,
    /// 1 grey, 3 colour.
    #[prost(int32, tag = "3")]
    pub colorspace: i32,
    /// A PNG file.
    #[prost(bytes = "vec", tag = "4")]
    pub encoded: Vec<u8>,
}

/// How many values lie where.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    /// The least value.
    #[prost(double, tag = "1")]
    pub min: f64,
    /// The largest value.
    #[prost(double, tag = "2")]
    pub max: f64,
    /// How many there are.
    #[prost(double, tag = "3")]
    pub num: f64,
    /// Their sum.
    #[prost(double, tag = "4")]
    pub sum: f64,
    /// The sum of their squares.
    #[prost(double, tag = "5")]
    pub sum_squares: f64,
    /// The upper end of each bucket.
    #[prost(double, repeated, tag = "6")]
    pub bucket_limit: Vec<f64>,
    /// How many lie in each.
    #[prost(double, repeated, tag = "7")]
    pub bucket: Vec<f64>,
}

/// An array.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tensor {
    /// 7 for texts.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    /// Its sizes.
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShape>,
    /// Texts, UTF-8.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub string_val: Vec<Vec<u8>>,
}

/// Sizes of an array.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShape {
    /// One for each axis.
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dimension>,
}

/// The size of one axis.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dimension {
    /// How long it is.
    #[prost(int64, tag = "1")]
    pub size: i64,
}
