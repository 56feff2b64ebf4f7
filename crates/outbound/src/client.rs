//! A client of one server.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use meta::{Value, json};

use crate::connect::Place;
use crate::endpoint::{Endpoint, Sender};
use crate::failure::{self, Cause, Failure};

/// Longer answers are refused.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Connections that are kept for later.
const IDLE_MAX: usize = 16;
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a token from a file is believed.
const TOKEN_TIME_MAX: Duration = Duration::from_secs(60);
const AGENT: HeaderValue = HeaderValue::from_static("kube-apiserver/v1.36.0 (linux/amd64) kubernetes");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Speaks HTTP/1.1 to one server and keeps a few connections to it. Cheap to share behind an `Arc`.
pub struct Client {
    url: Uri,
    place: Place,
    sender: Sender,
    idle: Mutex<Vec<Idle>>,
    token: Mutex<Option<(String, Instant)>>,
}

struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

/// What came back, with whatever code.
#[derive(Clone, Debug)]
pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// Nothing is connected yet. The error is for who wrote the configuration.
    pub fn new(endpoint: &Endpoint) -> Result<Client, String> {
        let url: Uri = endpoint.url.parse().map_err(|why| format!("{:?}: {why}", endpoint.url))?;
        let place = Place::new(&url, endpoint)?;
        let sender = endpoint.sender.clone();
        Ok(Client { url, place, sender, idle: Mutex::default(), token: Mutex::default() })
    }

    /// The URL that the client was made for, as failures name it.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Sends a JSON document to the endpoint's own URL and reads one back; any code but 2xx is a failure.
    pub async fn post_json(&self, document: &Value, time_max: Duration) -> Result<Value, Failure> {
        self.post_json_to(self.target(), document, time_max).await
    }

    /// The same to another path and query on the same server.
    pub async fn post_json_to(&self, target: &str, document: &Value, time_max: Duration) -> Result<Value, Failure> {
        let body = Bytes::from(json::to_vec(document));
        let answer = self.send(Method::POST, target, body, time_max).await?;
        let answer = success(answer)?;
        if answer.body.is_empty() {
            let (code, media) = (answer.code, media_type(&answer.headers));
            let text = format!("0-length response with status code: {code} and content type: {media}");
            return Err(Failure::new(Cause::Garbage, text));
        }
        failure::parse(&answer.body)
    }

    /// Reads a JSON document of another path and query on the same server.
    pub async fn get(&self, target: &str, time_max: Duration) -> Result<Answer, Failure> {
        success(self.send(Method::GET, target, Bytes::new(), time_max).await?)
    }

    /// One request for a path and query; whatever code comes back is an answer. Texts of failures are those of Go.
    pub async fn send(&self, method: Method, target: &str, body: Bytes, time_max: Duration) -> Result<Answer, Failure> {
        let url = self.url_of(target);
        let named = |why: Failure| {
            let verb = method.as_str();
            let verb = verb.chars().take(1).chain(verb.to_lowercase().chars().skip(1)).collect::<String>();
            Failure { text: format!("{verb} {}: {}", meta::field::quote(&url), why.text), ..why }
        };
        match tokio::time::timeout(time_max, self.exchange(&method, target, body)).await {
            Ok(answered) => answered.map_err(named),
            Err(_) => Err(named(Failure::new(Cause::TimedOut, "context deadline exceeded"))),
        }
    }

    /// Path and query of the URL that the client was made for.
    pub fn target(&self) -> &str {
        self.url.path_and_query().map_or("/", |target| target.as_str())
    }

    fn url_of(&self, target: &str) -> String {
        let authority = self.url.authority().map_or("", |authority| authority.as_str());
        format!("{}://{authority}{target}", self.url.scheme_str().unwrap_or("https"))
    }

    /// A kept connection may have been closed by the other side meanwhile; then once more on a new one.
    async fn exchange(&self, method: &Method, target: &str, body: Bytes) -> Result<Answer, Failure> {
        while let Some(mut kept) = self.take_idle() {
            if kept.ready().await.is_err() {
                continue;
            }
            match kept.send_request(self.request(method, target, body.clone())?).await {
                Err(why) if why.is_canceled() || why.is_incomplete_message() || why.is_closed() => {}
                answered => return self.collect(kept, answered).await,
            }
        }
        let io = self.place.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(of_hyper)?;
        // Ends when the sender is dropped or the other side closes.
        tokio::spawn(connection);
        let answered = sender.send_request(self.request(method, target, body)?).await;
        self.collect(sender, answered).await
    }

    async fn collect(
        &self,
        sender: SendRequest<Full<Bytes>>,
        answered: hyper::Result<http::Response<hyper::body::Incoming>>,
    ) -> Result<Answer, Failure> {
        let (head, body) = answered.map_err(of_hyper)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|why| {
            if why.is::<LengthLimitError>() {
                Failure::new(Cause::TooLong, format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"))
            } else {
                Failure::new(Cause::Reset, "unexpected EOF")
            }
        })?;
        self.keep(sender);
        Ok(Answer { code: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
    }

    fn request(&self, method: &Method, target: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
        let broken = |why: String| Failure::new(Cause::Unreachable, why);
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, host)
            .header(ACCEPT, "application/json, */*")
            .header(USER_AGENT, AGENT);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        if let Some(mut value) = self.authorization().map_err(broken)? {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(Full::new(body)).map_err(|why| broken(why.to_string()))
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, String> {
        let text = match &self.sender {
            Sender::Nobody => return Ok(None),
            Sender::Token(token) => format!("Bearer {token}"),
            Sender::TokenFile(path) => {
                let mut known = self.token.lock().unwrap_or_else(PoisonError::into_inner);
                match known.as_ref() {
                    Some((token, read)) if read.elapsed() < TOKEN_TIME_MAX => format!("Bearer {token}"),
                    _ => {
                        let read = std::fs::read_to_string(path);
                        let token = read.map_err(|why| format!("reading the token: {}: {why}", path.display()))?;
                        let text = format!("Bearer {}", token.trim());
                        *known = Some((token.trim().to_owned(), Instant::now()));
                        text
                    }
                }
            }
            Sender::Basic { user, password } => {
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
                format!("Basic {pair}")
            }
        };
        HeaderValue::from_str(&text).map(Some).map_err(|_| "the credentials fit into no header".into())
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < IDLE_TIME_MAX && !kept.sender.is_closed());
        idle.pop().map(|kept| kept.sender)
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

fn success(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.code) {
        return Ok(answer);
    }
    let seconds = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let media = media_type(&answer.headers);
    let is_text = media.is_empty() || media.starts_with("text/");
    Err(Failure::refused(answer.code, &answer.body, is_text, seconds))
}

fn media_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn of_hyper(why: hyper::Error) -> Failure {
    let source = std::error::Error::source(&why).and_then(|source| source.downcast_ref::<std::io::Error>());
    match source {
        Some(io) => Failure::of_io(io),
        None if why.is_parse() => Failure::new(Cause::Garbage, format!("net/http: malformed HTTP response: {why}")),
        None if why.is_incomplete_message() || why.is_canceled() => Failure::new(Cause::Reset, "EOF"),
        None => Failure::new(Cause::Reset, why.to_string()),
    }
}
