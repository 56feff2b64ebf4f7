//! A key service on a unix socket, in a thread of its own, whose key can be changed.

use bytes::Bytes;
use grpc::{Field, Writer, framed, read_fields};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What the service knows and has done.
#[derive(Debug, Default)]
pub struct Known {
    /// The key in use, and those before it; what is sealed with others is refused.
    pub keys: Vec<String>,
    pub unwell: bool,
    pub sealed: usize,
    pub opened: usize,
}

pub struct Service {
    pub socket: PathBuf,
    pub known: Arc<Mutex<Known>>,
}

impl Service {
    pub fn start(dir: &Path) -> Service {
        let socket = dir.join("kms.sock");
        let known = Arc::new(Mutex::new(Known { keys: vec!["key-1".into()], ..Known::default() }));
        let (tell, told) = std::sync::mpsc::channel();
        let (path, shared) = (socket.clone(), known.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::UnixListener::bind(path).expect("a socket");
                tell.send(()).expect("somebody waits");
                while let Ok((stream, _)) = listener.accept().await {
                    let known = shared.clone();
                    let answer = service_fn(move |request| answer(known.clone(), request));
                    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(served.serve_connection(TokioIo::new(stream), answer));
                }
            });
        });
        told.recv().expect("the service listens");
        Service { socket, known }
    }
}

type Answer = StreamBody<futures_util::stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

async fn answer(known: Arc<Mutex<Known>>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    let method = request.uri().path().to_owned();
    let message = request.into_body().collect().await.expect("a request").to_bytes().slice(5..);
    let answered = call(&mut known.lock().expect("no panic"), &method, message);
    let mut trailers = HeaderMap::new();
    let mut frames = vec![];
    match answered {
        Ok(message) => {
            frames.push(Ok(Frame::data(framed(&message))));
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
        }
        Err(why) => {
            trailers.insert("grpc-status", HeaderValue::from_static("3"));
            trailers.insert("grpc-message", HeaderValue::from_static(why));
        }
    }
    frames.push(Ok(Frame::trailers(trailers)));
    Ok(Response::new(StreamBody::new(futures_util::stream::iter(frames))))
}

fn call(known: &mut Known, method: &str, message: Bytes) -> Result<Vec<u8>, &'static str> {
    let mut fields: Vec<(u64, Field)> = vec![];
    read_fields(message, |field, value| {
        fields.push((field, value));
        Ok(())
    })
    .expect("a message");
    let field = |number: u64| {
        let found = fields.iter().find(|(field, _)| *field == number);
        found.map(|(_, value)| value.clone().bytes()).unwrap_or_default()
    };
    let mut writer = Writer::default();
    let current = known.keys.last().expect("a key").clone();
    match method {
        "/v2.KeyManagementService/Status" => {
            writer.bytes(1, b"v2");
            writer.bytes(2, if known.unwell { b"no" } else { b"ok" });
            writer.bytes(3, current.as_bytes());
        }
        "/v2.KeyManagementService/Encrypt" => {
            known.sealed += 1;
            writer.bytes(1, &turned(&field(1), &current));
            writer.bytes(2, current.as_bytes());
            writer.message(3, |entry| {
                entry.bytes(1, b"version.example.com");
                entry.bytes(2, b"1");
            });
        }
        "/v2.KeyManagementService/Decrypt" => {
            known.opened += 1;
            let key = String::from_utf8(field(3).to_vec()).expect("a key's name");
            if !known.keys.contains(&key) || field(4).is_empty() {
                return Err("no such key");
            }
            writer.bytes(1, &turned(&field(1), &key));
        }
        _ => return Err("no such method"),
    }
    Ok(writer.bytes)
}

/// Not what a service should do, but it depends on the key, and is its own reverse.
fn turned(bytes: &[u8], key: &str) -> Vec<u8> {
    bytes.iter().zip(key.bytes().cycle()).map(|(byte, key)| byte ^ key ^ 0x55).collect()
}
