//! Whether a group version's server can be reached, as the condition `Available` of its APIService
//! (k8s.io/kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go).

use meta::field::quote;
use meta::{Value, value};

/// Why requests are not passed on.
#[derive(Clone, Debug, PartialEq)]
pub struct Unavailable {
    pub reason: &'static str,
    pub message: String,
}

/// What the objects say: the service and its endpoints are there. `slices` are the service's EndpointSlices.
pub fn judge_objects(api_service: &Value, service: Option<&Value>, slices: &[Value]) -> Result<(), Unavailable> {
    let wanted = &api_service["spec"]["service"];
    let no = |reason, message| Err(Unavailable { reason, message });
    let shown = format!("service/{} in {}", wanted["name"].str(), quote(wanted["namespace"].str()));
    let Some(service) = service else { return no("ServiceNotFound", format!("{shown} is not present")) };
    if !matches!(service["spec"]["type"].str(), "" | "ClusterIP") {
        return Ok(());
    }
    let port = wanted["port"].int();
    let Some(found) = service["spec"]["ports"].items().iter().find(|p| p["port"].int() == port) else {
        return no("ServicePortError", format!("{shown} is not listening on port {port}"));
    };
    if slices.is_empty() {
        return no("EndpointsNotFound", format!("cannot find endpointslices for {shown}"));
    }
    let name = found["name"].str();
    let serves = |slice: &Value| {
        !slice["endpoints"].items().is_empty() && slice["ports"].items().iter().any(|port| port["name"].str() == name)
    };
    if !slices.iter().any(serves) {
        let port = quote(name);
        return no("MissingEndpoints", format!("endpointslices for {shown} have no addresses with port name {port}"));
    }
    Ok(())
}

/// What the server's own discovery document says.
pub fn judge_answer(url: &str, answer: Result<u16, String>) -> Result<(), Unavailable> {
    let message = match answer {
        Ok(200..=299) => return Ok(()),
        Ok(code) => format!("bad status from {url}: {code}"),
        Err(why) => why,
    };
    let message = format!("failing or missing response from {url}: {message}");
    Err(Unavailable { reason: "FailedDiscoveryCheck", message })
}

/// The new status of an APIService; `None` when it says so already.
pub fn plan_status(api_service: &Value, judged: Result<(), &Unavailable>, now: &str) -> Option<Value> {
    let (status, reason, message) = match judged {
        Ok(()) => ("True", "Passed", "all checks passed"),
        Err(why) => ("False", why.reason, why.message.as_str()),
    };
    let mut conditions = api_service["status"]["conditions"].items().to_vec();
    let old = conditions.iter().find(|condition| condition["type"].str() == "Available").cloned().unwrap_or_default();
    if old["status"].str() == status && old["reason"].str() == reason && old["message"].str() == message {
        return None;
    }
    let since = if old["status"].str() == status { old["lastTransitionTime"].str() } else { now };
    let condition = value!({
        "type": "Available", "status": status, "lastTransitionTime": since, "reason": reason, "message": message
    });
    conditions.retain(|condition| condition["type"].str() != "Available");
    conditions.push(condition);
    Some(value!({"conditions": conditions}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(service: Option<Value>, slices: Vec<Value>) -> String {
        let api_service = value!({"spec": {"service": {"name": "s", "namespace": "ns", "port": 443}}});
        match judge_objects(&api_service, service.as_ref(), &slices) {
            Ok(()) => "fine".into(),
            Err(why) => why.message,
        }
    }

    #[test]
    fn objects_are_judged() {
        let service = |port: i64| value!({"spec": {"type": "ClusterIP", "ports": [{"name": "https", "port": port}]}});
        let endpoint = value!({"addresses": ["10.0.0.1"]});
        let slice = |name: &str| value!({"endpoints": [(endpoint.clone())], "ports": [{"name": name}]});
        assert_eq!(reason(None, vec![]), r#"service/s in "ns" is not present"#);
        assert_eq!(reason(Some(service(80)), vec![]), r#"service/s in "ns" is not listening on port 443"#);
        assert_eq!(reason(Some(service(443)), vec![]), r#"cannot find endpointslices for service/s in "ns""#);
        let missing = r#"endpointslices for service/s in "ns" have no addresses with port name "https""#;
        assert_eq!(reason(Some(service(443)), vec![slice("other")]), missing);
        assert_eq!(reason(Some(service(443)), vec![slice("https")]), "fine");
        assert_eq!(reason(Some(value!({"spec": {"type": "ExternalName"}})), vec![]), "fine");
    }

    #[test]
    fn a_status_changes_when_it_says_something_else() {
        let passed = plan_status(&Value::object(), Ok(()), "t1").unwrap();
        let object = value!({"status": (passed.clone())});
        assert_eq!(plan_status(&object, Ok(()), "t2"), None);
        let bad = judge_answer("https://10.0.0.1:443/apis/g/v1", Ok(500));
        let status = plan_status(&object, bad.as_ref().copied(), "t2").unwrap();
        let condition = &status["conditions"].items()[0];
        assert_eq!((condition["status"].str(), condition["lastTransitionTime"].str()), ("False", "t2"));
        let object = value!({"status": status});
        let worse = judge_answer("https://10.0.0.1:443/apis/g/v1", Err("no route".into()));
        let status = plan_status(&object, worse.as_ref().copied(), "t3").unwrap();
        assert_eq!(status["conditions"].items()[0]["lastTransitionTime"].str(), "t2");
    }
}
