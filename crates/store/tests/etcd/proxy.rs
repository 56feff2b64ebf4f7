//! The network between a store and etcd, which a test makes slow, stalls and cuts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weather {
    Fair,
    /// Everything takes this much longer, in each direction.
    Slow(Duration),
    /// Nothing arrives, and nobody is told.
    Stalled,
    /// Connections end and new ones do not begin.
    Cut,
}

pub struct Proxy {
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub async fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let mut task = JoinSet::new();
        let forecast = weather.clone();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((near, _)) = listener.accept().await else { continue };
                if *forecast.borrow() == Weather::Cut {
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let (near, far) = (near.into_split(), far.into_split());
                let (there, back) = (forecast.subscribe(), forecast.subscribe());
                connections.spawn(async move {
                    // When one direction ends both do.
                    tokio::select! {
                        () = carry(near.0, far.1, there) => {}
                        () = carry(far.0, near.1, back) => {}
                    }
                });
            }
        });
        Proxy { address, weather, _task: task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let now = *weather.borrow_and_update();
        let read = tokio::select! {
            read = from.read(&mut buffer), if now != Weather::Stalled => read,
            changed = weather.changed() => match (changed, *weather.borrow()) {
                (Err(_), _) | (_, Weather::Cut) => return,
                _ => continue,
            },
        };
        let Ok(count @ 1..) = read else { return };
        let now = *weather.borrow();
        if let Weather::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
