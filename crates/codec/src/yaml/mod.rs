//! YAML as sigs.k8s.io/yaml reads and writes it: YAML 1.1's scalars, turned into what JSON can say.

mod emit;
mod read;
mod resolve;
mod scalar;

pub use emit::encode_yaml;
pub use read::{Yaml, decode_yaml, kind_of_yaml, parse_yaml};
