//! Documents that are made when they are first asked for and kept while what is served stays the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use publish::Document;
use resource::Descriptor;
use schema::Schema;
use serve::{Resources, Server};

pub struct Documents {
    pub plain: publish::Documents,
    core: OnceLock<Arc<Document>>,
    groups: OnceLock<Arc<Document>>,
    v2: OnceLock<Arc<Document>>,
    v2_protobuf: OnceLock<Bytes>,
    v3_index: OnceLock<Arc<Document>>,
    v3: Mutex<HashMap<String, Arc<Document>>>,
}

impl Documents {
    pub fn new(resources: &Resources, services: &[publish::Service]) -> Documents {
        let descriptors: Vec<Arc<Descriptor>> = resources.all().map(|endpoint| endpoint.descriptor.clone()).collect();
        Documents {
            plain: publish::Documents::with_services(&descriptors, services),
            core: OnceLock::new(),
            groups: OnceLock::new(),
            v2: OnceLock::new(),
            v2_protobuf: OnceLock::new(),
            v3_index: OnceLock::new(),
            v3: Mutex::default(),
        }
    }

    pub fn schema(&self, server: &Server) -> Arc<Schema> {
        server.schema.clone()
    }

    pub fn aggregated_core(&self) -> Arc<Document> {
        self.core.get_or_init(|| Arc::new(self.plain.aggregated_core())).clone()
    }

    pub fn aggregated_groups(&self) -> Arc<Document> {
        self.groups.get_or_init(|| Arc::new(self.plain.aggregated_groups())).clone()
    }

    pub fn openapi_v2(&self) -> Arc<Document> {
        self.v2.get_or_init(|| Arc::new(self.plain.openapi_v2())).clone()
    }

    pub fn openapi_v2_protobuf(&self) -> Bytes {
        self.v2_protobuf.get_or_init(|| Bytes::from(self.plain.openapi_v2_protobuf())).clone()
    }

    pub fn openapi_v3_index(&self) -> Arc<Document> {
        self.v3_index.get_or_init(|| Arc::new(self.plain.openapi_v3_index())).clone()
    }

    /// `None` when there is no such document.
    pub fn openapi_v3(&self, key: &str) -> Option<Arc<Document>> {
        let mut made = self.v3.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = made.get(key) {
            return Some(document.clone());
        }
        let document = Arc::new(self.plain.openapi_v3(key)?);
        made.insert(key.to_owned(), document.clone());
        Some(document)
    }
}
