//! CertificateSubjectRestriction: no client certificate of the API server's own signer makes its bearer an
//! administrator.

use crate::certificate_request::Subject;
use crate::{Attributes, Operation, Plugin};
use meta::{Result, Value};

const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";
const MASTERS: &str = "system:masters";

pub struct CertificateSubjectRestriction;

impl Plugin for CertificateSubjectRestriction {
    fn name(&self) -> &'static str {
        "CertificateSubjectRestriction"
    }

    fn validate(&self, attributes: &Attributes, request: &Value) -> Result<()> {
        let is_request = attributes.is("certificates.k8s.io", "certificatesigningrequests");
        let spec = &request["spec"];
        if !is_request || attributes.operation != Operation::Create || spec["signerName"].str() != CLIENT_SIGNER {
            return Ok(());
        }
        if !asks_for_masters(spec["request"].str()) {
            return Ok(());
        }
        let why = format!("use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed");
        Err(attributes.forbidden(&why))
    }
}

/// Whether an organization in the subject of a PEM request is the administrators' group. What cannot be read asks for
/// nothing; validation refuses what is no request.
fn asks_for_masters(request: &str) -> bool {
    Subject::of(request).is_ok_and(|subject| subject.organizations.iter().any(|group| group == MASTERS))
}

#[cfg(test)]
mod tests {
    use super::asks_for_masters;

    /// Requests of `sc-user` in a group, as upstream's server was asked.
    const OF_MASTERS: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIbU1JR05BZ0VBTUNzeEVEQU9CZ05WQkFNTUIzTmpMWFZ6WlhJeEZ6QVZCZ05WQkFvTURuTjVjM1JsYlRwdApZWE4wWlhKek1Ga3dFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRU1TU3U1RTBaWUZiRUhBTUtXZ05sCmFEM0JyMi96M1I2WmppYnBvNTFCWTdya1B3NjN3TTJ1WW9uV25BK09CaVR3UXJHaWN6L1J3UkFuekxBckxTTVQKbWFBQU1Bb0dDQ3FHU000OUJBTUNBMGdBTUVVQ0lRQ1ZyaldpcVlySW5icDRHN2dqeWRnSUFSS1JyL0xuUytPLwpnQTE1WVVjWjV3SWdQVG9GdGVKcVF5dmtYSFJqU3hTOVBtVndkVlpZUHpuUzNUZ0toNGV6RjZZPQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K";
    const OF_A_GROUP: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIaE1JR0hBZ0VBTUNVeEVEQU9CZ05WQkFNTUIzTmpMWFZ6WlhJeEVUQVBCZ05WQkFvTUNITmpMV2R5YjNWdwpNRmt3RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVNU1N1NUUwWllGYkVIQU1LV2dObGFEM0JyMi96CjNSNlpqaWJwbzUxQlk3cmtQdzYzd00ydVlvblduQStPQmlUd1FyR2ljei9Sd1JBbnpMQXJMU01UbWFBQU1Bb0cKQ0NxR1NNNDlCQU1DQTBrQU1FWUNJUUR4bVBHSDJkTFltbWx4ZGxNZXU0R3dza09GQ0c0OGo2RXF2VDQydlRVZgpnd0loQUw2cnJoL3pmUlJNUDg2eThvUjAvbDFJYU9xYzJjcVkwUkhwaTJWdktYY3EKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";

    #[test]
    fn only_requests_for_administrators_are_found() {
        assert!(asks_for_masters(OF_MASTERS));
        assert!(!asks_for_masters(OF_A_GROUP));
        assert!(!asks_for_masters("eA=="));
    }
}
