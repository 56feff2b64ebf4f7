//! Content negotiation: what the client sends, and in what form it wants the answer. After apiserver's
//! endpoints/handlers/negotiation and goautoneg, whose oddities are part of the contract.

use meta::{Reason, Status, Str};

/// An encoding of whole bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    #[default]
    Json,
    Yaml,
    Protobuf,
}

/// All formats, in the order in which upstream lists and prefers them.
const FORMATS: [Format; 3] = [Format::Json, Format::Yaml, Format::Protobuf];

impl Format {
    /// The media type, as Content-Type shows it.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Yaml => "application/yaml",
            Format::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    fn sub_type(self) -> &'static str {
        self.media_type().split_once('/').map_or("", |(_, sub)| sub)
    }
}

/// Another form of the answer than the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transform {
    Table,
    PartialObjectMetadata,
    PartialObjectMetadataList,
}

/// What the client accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    pub format: Format,
    /// `;pretty=1`.
    pub pretty: bool,
    /// The form wanted, and the version of meta.k8s.io ("v1", "v1beta1") that it has.
    pub transform: Option<(Transform, &'static str)>,
}

/// What an endpoint offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Objects themselves are available as protobuf (built-in kinds).
    pub protobuf: bool,
    /// The endpoint can answer with tables.
    pub table: bool,
    /// The answer is a watch: YAML cannot be streamed.
    pub watch: bool,
}

/// One clause of an Accept header.
#[derive(Debug)]
struct Clause<'a> {
    kind: &'a str,
    sub: &'a str,
    quality: f32,
    parameters: Vec<(&'a str, &'a str)>,
}

fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses = Vec::new();
    for part in header.split(',') {
        let mut pieces = part.trim().split(';');
        let media = pieces.next().unwrap_or("");
        let (kind, sub) = match media.split_once('/') {
            Some((kind, sub)) if !sub.contains('/') && !sub.is_empty() => (kind.trim(), sub.trim()),
            _ if media.trim() == "*" => ("*", "*"),
            _ => continue,
        };
        let mut clause = Clause { kind, sub, quality: 1.0, parameters: Vec::new() };
        for piece in pieces {
            match piece.split_once('=') {
                Some((_, value)) if value.is_empty() || value.contains('=') => {}
                Some((name, value)) if name.trim() == "q" => clause.quality = value.trim().parse().unwrap_or(0.0),
                Some((name, value)) => clause.parameters.push((name.trim(), value.trim())),
                None => {}
            }
        }
        clauses.push(clause);
    }
    order(&mut clauses);
    clauses
}

/// Upstream's order is no total order, so its sort matters: insertion, by quality or by being more specific.
fn order(clauses: &mut [Clause]) {
    let before = |a: &Clause, b: &Clause| {
        a.quality > b.quality || (a.kind != "*" && b.kind == "*") || (a.sub != "*" && b.sub == "*")
    };
    for i in 1..clauses.len() {
        let mut j = i;
        while let Some([left, right]) = clauses.get(j.saturating_sub(1)..=j)
            && before(right, left)
        {
            clauses.swap(j - 1, j);
            j -= 1;
            if j == 0 {
                break;
            }
        }
    }
}

/// Chooses the form of an answer by the Accept header ("" when there is none). 406 when nothing that is accepted is offered.
pub fn accept(header: &str, offer: Offer) -> Result<Accepted, Status> {
    if header.is_empty() {
        return Ok(Accepted::default());
    }
    for clause in clauses(header) {
        for format in FORMATS {
            let matches = match (clause.kind, clause.sub) {
                ("*", "*") => true,
                (kind, sub) => kind == "application" && (sub == "*" || sub == format.sub_type()),
            };
            if let (true, Some(accepted)) = (matches, clause_allows(&clause, format, offer)) {
                if offer.watch && format == Format::Yaml {
                    return Err(not_acceptable(offer));
                }
                return Ok(accepted);
            }
        }
    }
    Err(not_acceptable(offer))
}

/// The answer in a format with a clause's parameters, when the endpoint can give it.
fn clause_allows(clause: &Clause, format: Format, offer: Offer) -> Option<Accepted> {
    let mut accepted = Accepted { format, ..Accepted::default() };
    let (mut kind, mut group, mut version) = (None, None, None);
    for (name, value) in &clause.parameters {
        match *name {
            "as" => kind = Some(*value),
            "g" => group = Some(*value),
            "v" => version = Some(*value),
            "stream" if format == Format::Yaml || *value != "watch" => return None,
            // Versions of the server group: none but v1.
            "sv" if *value != "v1" => return None,
            "pretty" => accepted.pretty = *value == "1",
            _ => {}
        }
    }
    if kind.is_none() && group.is_none() && version.is_none() {
        return (offer.protobuf || format != Format::Protobuf).then_some(accepted);
    }
    let version = match (group, version) {
        (Some("meta.k8s.io"), Some("v1")) => "v1",
        (Some("meta.k8s.io"), Some("v1beta1")) => "v1beta1",
        _ => return None,
    };
    let transform = match kind {
        Some("Table") if offer.table && format != Format::Protobuf => Transform::Table,
        Some("PartialObjectMetadata") => Transform::PartialObjectMetadata,
        Some("PartialObjectMetadataList") => Transform::PartialObjectMetadataList,
        _ => return None,
    };
    accepted.transform = Some((transform, version));
    Some(accepted)
}

fn not_acceptable(offer: Offer) -> Status {
    let types: Vec<String> = match offer.watch {
        false => FORMATS.map(|f| f.media_type().to_string()).to_vec(),
        true => [Format::Json, Format::Protobuf].map(|f| format!("{};stream=watch", f.media_type())).to_vec(),
    };
    let text = format!("only the following media types are accepted: {}", types.join(", "));
    Status::failure(406, Reason::NotAcceptable, text)
}

/// The check that upstream's router makes of built-in resources before [`accept`]: some clause must name a media type of the route, in full, or
/// be `*/*`; parameters and quality do not matter. `collection`: the route's path is also that of a watch. 406.
pub fn check_route(header: &str, collection: bool) -> Result<(), Status> {
    let media_types = FORMATS.map(Format::media_type);
    let named = |clause: &str| {
        let media = clause.split(';').next().unwrap_or("").trim();
        media == "*/*" || media_types.contains(&media)
    };
    if header.is_empty() || header.split(',').any(named) {
        return Ok(());
    }
    let mut shown = media_types.map(str::to_string).to_vec();
    if collection {
        shown.extend([Format::Json, Format::Protobuf].map(|f| format!("{};stream=watch", f.media_type())));
    }
    let text = format!("406: Not Acceptable\n\nAvailable representations: {}", shown.join(", "));
    Err(Status { details: Some(Box::default()), ..Status::failure(406, Reason::NotAcceptable, text) })
}

/// The format of a request's body by its Content-Type ("" is JSON). 415 when it is none.
pub fn content_type(header: &str) -> Result<Format, Status> {
    if header.is_empty() {
        return Ok(Format::Json);
    }
    let (media, parameters) = header.split_once(';').unwrap_or((header, ""));
    let media = media.trim().to_ascii_lowercase();
    let format = FORMATS.into_iter().find(|format| format.media_type() == media);
    format.filter(|_| are_parameters(parameters)).ok_or_else(|| {
        let types = FORMATS.map(Format::media_type).join(", ");
        unsupported_media_type(&types)
    })
}

/// `name=value; name="value"`, with a semicolon behind it at most; what Go's mime parser takes.
fn are_parameters(text: &str) -> bool {
    let is_token = |s: &str| {
        let special = |c: char| c.is_ascii_control() || c == ' ' || "()<>@,;:\\\"/[]?=".contains(c);
        !s.is_empty() && s.is_ascii() && !s.contains(special)
    };
    let pieces: Vec<&str> = text.split(';').map(str::trim).collect();
    let Some((last, pieces)) = pieces.split_last() else { return true };
    let is_parameter = |piece: &&str| match piece.split_once('=') {
        Some((name, value)) => {
            is_token(name) && (is_token(value) || (value.len() > 1 && value.starts_with('"') && value.ends_with('"')))
        }
        None => false,
    };
    pieces.iter().all(is_parameter) && (last.is_empty() || is_parameter(last))
}

/// 415 with the media types that would be taken, joined with ", ".
pub fn unsupported_media_type(types: &str) -> Status {
    let text = format!("the body of the request was in an unknown format - accepted media types include: {types}");
    Status::failure(415, Reason::UnsupportedMediaType, text)
}

/// Whether JSON is shown pretty: `?pretty=` when it is given, else for agents that people use.
pub fn is_pretty(query: Option<&str>, user_agent: &str) -> bool {
    match query {
        Some(text) if !text.is_empty() => matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True"),
        _ => ["curl", "Wget", "Mozilla/5.0"].iter().any(|prefix| user_agent.starts_with(prefix)),
    }
}

/// The Content-Type of a watch in a format.
pub fn watch_content_type(format: Format) -> Str {
    match format {
        Format::Protobuf => "application/vnd.kubernetes.protobuf;stream=watch".into(),
        other => other.media_type().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILTIN: Offer = Offer { protobuf: true, table: true, watch: false };
    const CUSTOM: Offer = Offer { protobuf: false, table: true, watch: false };

    #[test]
    fn the_best_of_what_is_offered_is_chosen() {
        use Format::*;
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let partial = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        for (header, offer, format, transform) in [
            ("", BUILTIN, Json, None),
            ("*/*", BUILTIN, Json, None),
            ("*", BUILTIN, Json, None),
            ("application/*", CUSTOM, Json, None),
            ("text/html, application/yaml;q=0.5, */*;q=0.1", BUILTIN, Yaml, None),
            ("application/json;q=0.5, application/vnd.kubernetes.protobuf", BUILTIN, Protobuf, None),
            ("application/vnd.kubernetes.protobuf, application/json", CUSTOM, Json, None),
            (kubectl, BUILTIN, Json, Some((Transform::Table, "v1"))),
            (partial, CUSTOM, Protobuf, Some((Transform::PartialObjectMetadata, "v1"))),
            ("application/json;as=Table;v=v9;g=meta.k8s.io, application/yaml", BUILTIN, Yaml, None),
            ("application/json;stream=watch", Offer { watch: true, ..BUILTIN }, Json, None),
        ] {
            let got = accept(header, offer);
            assert_eq!(got, Ok(Accepted { format, transform, pretty: false }), "{header}");
        }
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let all = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
        for header in ["text/plain", "application/json;as=Table", "application/json;as=Pod;g=;v=v1", "x/y/z"] {
            let status = accept(header, BUILTIN).expect_err(header);
            assert_eq!(status.message, format!("only the following media types are accepted: {all}"));
            assert_eq!(status.code, 406);
        }
        let status = accept("application/yaml", Offer { watch: true, ..BUILTIN }).expect_err("YAML does not stream");
        let streams = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
        assert_eq!(status.message, format!("only the following media types are accepted: {streams}"));
        assert_eq!(content_type("application/json; charset=utf-8"), Ok(Format::Json));
        for bad in ["text/plain", "application/json;;", "application/json; charset"] {
            assert_eq!(content_type(bad).expect_err(bad).code, 415);
        }
        assert_eq!(content_type("Application/YAML;"), Ok(Format::Yaml));
        assert_eq!(check_route("application/xml, */*;q=0.1", false), Ok(()));
        assert_eq!(check_route("application/json;as=Foo", true), Ok(()));
        assert_eq!(check_route("application/*", false).expect_err("no media type in full").code, 406);
    }
}
