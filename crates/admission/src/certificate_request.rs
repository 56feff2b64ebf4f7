//! Certificate requests in signing requests: PEM in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

/// Who a certificate is asked for.
#[derive(Debug, Default, PartialEq)]
pub struct Subject {
    /// "" for none.
    pub common_name: String,
    pub organizations: Vec<String>,
}

impl Subject {
    /// # Errors
    /// It is no request.
    pub fn of(request: &str) -> Result<Subject, String> {
        let no_pem = || "PEM block type must be CERTIFICATE REQUEST".to_owned();
        let pem = STANDARD.decode(request).map_err(|_| no_pem())?;
        let (_, block) = x509_parser::pem::parse_x509_pem(&pem).map_err(|_| no_pem())?;
        let (_, parsed) = X509CertificationRequest::from_der(&block.contents)
            .map_err(|_| "asn1: structure error: it is no certificate request".to_owned())?;
        let subject = &parsed.certification_request_info.subject;
        let text = |of: &x509_parser::x509::AttributeTypeAndValue| of.as_str().ok().map(str::to_owned);
        Ok(Subject {
            common_name: subject.iter_common_name().filter_map(text).last().unwrap_or_default(),
            organizations: subject.iter_organization().filter_map(text).collect(),
        })
    }
}
