//! Where webhooks are that are services.

use meta::field::quote;
use resource::Reader;

/// Where a service is (upstream: kube-aggregator's ResolveCluster).
///
/// # Errors
/// Why it is nowhere, in upstream's words.
pub fn locate(reader: &dyn Reader, namespace: &str, name: &str, port: u16) -> Result<(String, u16), String> {
    let service = reader.get("", "services", namespace, name);
    let service = service.ok_or_else(|| format!("service {} not found", quote(name)))?;
    let spec = &service["spec"];
    match (spec["type"].str(), spec["clusterIP"].str()) {
        ("ExternalName", _) => Ok((spec["externalName"].str().to_owned(), port)),
        (_, "" | "None") => Err("cannot route to service with ClusterIP \"None\"".into()),
        (_, address) if spec["ports"].items().iter().any(|known| known["port"].int() == i64::from(port)) => {
            Ok((address.to_owned(), port))
        }
        _ => Err(format!("no service port {port} found for service {}", quote(name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meta::{Value, value};

    struct One(Value);

    impl Reader for One {
        fn get(&self, _: &str, resource: &str, _: &str, name: &str) -> Option<Value> {
            (resource == "services" && name == "s").then(|| self.0.clone())
        }

        fn list(&self, _: &str, _: &str, _: &str) -> Vec<Value> {
            Vec::new()
        }
    }

    #[test]
    fn services_are_where_their_addresses_are() {
        let of = |spec: Value, name: &str| locate(&One(value!({"spec": spec})), "ns", name, 443);
        let ports = value!([{"port": 443}]);
        let plain = value!({"type": "ClusterIP", "clusterIP": "10.0.0.7", "ports": (&ports)});
        assert_eq!(of(plain.clone(), "s"), Ok(("10.0.0.7".into(), 443)));
        assert_eq!(of(plain, "t"), Err("service \"t\" not found".into()));
        let other = value!({"type": "ClusterIP", "clusterIP": "10.0.0.7", "ports": [{"port": 80}]});
        assert_eq!(of(other, "s"), Err("no service port 443 found for service \"s\"".into()));
        let headless = value!({"type": "ClusterIP", "clusterIP": "None", "ports": (&ports)});
        assert!(of(headless, "s").is_err_and(|why| why.contains("ClusterIP \"None\"")));
        let outside = value!({"type": "ExternalName", "externalName": "h.example"});
        assert_eq!(of(outside, "s"), Ok(("h.example".into(), 443)));
    }
}
