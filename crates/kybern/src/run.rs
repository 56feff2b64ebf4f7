//! The life of the process: start, serve, stop.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serve::Server;
use serve::health::Health;
use serve::listen::{Limits, Port, listen};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::assemble;
use crate::backup;
use crate::bench;
use crate::boot::{self, Facts};
use crate::data_dir::{self, DataDir, Secrecy};
use crate::endpoints::Membership;
use crate::flags::{self, Call, Given};
use crate::identity::Identity;
use crate::kubeconfig;
use crate::options::Options;
use crate::pki::{self, Pki};
use crate::{aggregate, definitions, flow_control, keep};

/// Open requests get this long to finish after a signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// To tell the other servers.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The whole program.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    let args: Vec<String> = args.into_iter().collect();
    match args.get(1).map(String::as_str) {
        Some("bench") => return bench::main(args.into_iter().skip(1).collect()),
        Some("backup" | "restore") => return backup::main(args.into_iter().skip(1).collect()),
        _ => {}
    }
    let given = match flags::read(args) {
        Call::Run(given) => given,
        Call::Print(text, 0) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Call::Print(text, code) => {
            eprint!("{text}");
            return ExitCode::from(u8::try_from(code).unwrap_or(1));
        }
    };
    match run(&given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kybern: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: &Given) -> Result<(), String> {
    let options = Options::resolve(given)?;
    start_log(options.verbosity);
    if !given.without_effect.is_empty() {
        tracing::warn!(flags = given.without_effect.join(" "), "flags that change nothing here");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|why| why.to_string())?;
    runtime.block_on(serve_until_signal(options))
}

fn start_log(verbosity: u8) {
    let level = match verbosity {
        0..=1 => tracing::Level::INFO,
        2..=5 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).compact().init();
}

async fn serve_until_signal(options: Options) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|why| why.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|why| why.to_string())?;
    let running = Running::start(&options).await?;
    announce(&options, &running);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    let second = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::select! {
        () = running.stop(options.shutdown_delay) => {}
        () = second => tracing::warn!("stopping without waiting for open requests"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// A server that accepts requests.
pub struct Running {
    /// Where the secure port really is.
    pub address: SocketAddr,
    pub pki: Pki,
    pub server: Arc<Server>,
    health: Arc<Health>,
    stop: watch::Sender<bool>,
    ports: Vec<JoinHandle<()>>,
    keepers: Keepers,
    /// Among the servers of one etcd.
    membership: Option<(Membership, JoinHandle<()>)>,
    identity: (Identity, JoinHandle<()>),
}

/// Tasks that need nothing at the end.
struct Keepers {
    definitions: JoinHandle<()>,
    /// Keeps statuses of the server's own.
    statuses: JoinHandle<()>,
    aggregation: JoinHandle<()>,
}

impl Running {
    /// Ports are bound first: when one is taken nothing has been written.
    pub async fn start(options: &Options) -> Result<Running, String> {
        let listener = bind(options.secure, options.tls.share_port)?;
        let address = listener.local_addr().map_err(|why| why.to_string())?;
        let insecure = match options.insecure_port {
            0 => None,
            port => Some(bind(SocketAddr::from(([127, 0, 0, 1], port)), false)?),
        };
        let dir =
            DataDir::open(options.data_dir.clone()).map_err(|why| format!("{}: {why}", options.data_dir.display()))?;
        let names = pki::serving_names(&advertised(options), &options.tls.extra_names);
        let pki = pki::open(&dir, &names)?;
        write_kubeconfig(&dir, address, &pki)?;
        let (stop, stopping) = watch::channel(false);
        let health = Arc::new(Health::default());
        let services = Arc::<aggregate::Services>::default();
        let published = SocketAddr::new(options.advertise_address.unwrap_or(address.ip()), address.port()).to_string();
        let parts = assemble::Parts {
            store_dir: Some(dir.store()),
            own_ca: pki.ca.clone(),
            health: health.clone(),
            stopping: stopping.clone(),
            address: published.clone(),
            services: services.clone(),
            service_account_key: pki.service_account_key.clone(),
        };
        let server = assemble::server(options, parts).await?;
        let is_new = server.store.revision() <= 1;
        boot::write(&server, &facts(options, address.port(), &pki)?).await?;
        if is_new {
            // Nobody has seen the time before: versions of it are too old, as with upstream.
            server.store.compact(server.store.revision());
        }
        let definitions = definitions::start(server.clone()).await;
        flow_control::start(server.clone());
        let statuses = {
            let (authentication, ca) = (options.authentication.clone(), pki.ca.clone());
            keep::start(server.clone(), move || authentication.authorities(&ca))
        };
        let aggregation =
            aggregate::start(server.clone(), services, aggregate::Routing::resolve(&options.aggregation)?);
        let member = |advertised| Membership::new(server.clone(), advertised, address.port());
        let membership = options.etcd.as_ref().and(options.advertise_address).map(member);
        let membership = membership.map(|member| (member.clone(), member.start()));
        let identity = Identity::new(server.clone(), published);
        let identity = (identity.clone(), identity.start());
        health.mark_booted();
        tokio::spawn(tell_troubles(server.store.troubles()));
        let mut ports = vec![];
        let handler = {
            let server = server.clone();
            move |request, peer| {
                let server = server.clone();
                async move { serve::handle(&server, request, peer).await }
            }
        };
        let limits =
            Limits { streams_max: options.tls.streams_max, http2: options.tls.protocols.http2, ..Limits::default() };
        let tls = Some(Arc::new(options.tls.config(&pki, &stopping)?));
        let secure = Port { listener, tls, trusted: false, limits: limits.clone() };
        ports.push(tokio::spawn(listen(secure, handler.clone(), stopping.clone())));
        if let Some(listener) = insecure {
            let port = Port { listener, tls: None, trusted: true, limits };
            ports.push(tokio::spawn(listen(port, handler, stopping)));
        }
        let keepers = Keepers { definitions, statuses, aggregation };
        Ok(Running { address, pki, server, health, stop, ports, keepers, membership, identity })
    }

    /// `/readyz` fails at once; after `delay`, in which load balancers notice, ports close, watches end and open
    /// requests get a while to finish.
    pub async fn stop(self, delay: Duration) {
        self.health.mark_shutting_down();
        self.identity.1.abort();
        if tokio::time::timeout(LEAVE_TIMEOUT, self.identity.0.leave()).await.is_err() {
            tracing::warn!("the lease of this server is not deleted in time");
        }
        if let Some((member, task)) = &self.membership {
            task.abort();
            match tokio::time::timeout(LEAVE_TIMEOUT, member.leave()).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => tracing::warn!(%why, "address not withdrawn"),
                Err(_) => tracing::warn!("address not withdrawn in time"),
            }
        }
        tokio::time::sleep(delay).await;
        let Keepers { definitions, statuses, aggregation } = self.keepers;
        for task in [definitions, statuses, aggregation] {
            task.abort();
        }
        self.stop.send_replace(true);
        let drained = async {
            for port in self.ports {
                if let Err(why) = port.await {
                    tracing::warn!(%why, "a port ended badly");
                }
            }
        };
        let audited = async {
            drained.await;
            if let Some(audit) = &self.server.audit {
                audit.flush().await;
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT, audited).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }
}

/// Of a failure for good clients are told too, `/readyz` and `/livez` fail, and reading goes on.
async fn tell_troubles(mut troubles: store::Troubles) {
    while let Some(why) = troubles.next().await {
        tracing::error!(%why, "the store has a problem");
    }
}

fn facts(options: &Options, port: u16, pki: &Pki) -> Result<Facts, String> {
    Ok(Facts {
        endpoint: options.advertise_address,
        port,
        service_ranges: options.service_ranges.clone(),
        authorities: options.authentication.authorities(&pki.ca)?,
        now: meta::time::Timestamp::now(),
    })
}

fn bind(address: SocketAddr, share_port: bool) -> Result<TcpListener, String> {
    let bind = || {
        let socket =
            if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(share_port)?;
        socket.bind(address)?;
        socket.listen(4096)
    };
    bind().map_err(|why| format!("listening on {address}: {why}"))
}

/// The addresses that the serving certificate is for beside those that it is always for.
fn advertised(options: &Options) -> Vec<IpAddr> {
    let bind = Some(options.secure.ip()).filter(|address| !address.is_unspecified());
    let services = options.service_ranges.iter().filter_map(|range| range.hosts().next());
    services.chain(options.advertise_address).chain(bind).collect()
}

fn write_kubeconfig(dir: &DataDir, address: SocketAddr, pki: &Pki) -> Result<(), String> {
    let text = kubeconfig::render(&url(address), Some(&pki.ca), &kubeconfig::Identity::Certificate(&pki.admin));
    let path = dir.admin_kubeconfig();
    data_dir::write(&path, &text, Secrecy::Secret).map_err(|why| format!("{}: {why}", path.display()))
}

/// Where this machine reaches the server.
fn url(address: SocketAddr) -> String {
    let host = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    };
    format!("https://{}", SocketAddr::new(host, address.port()))
}

fn announce(options: &Options, running: &Running) {
    let dir = DataDir { root: options.data_dir.clone() };
    tracing::info!(
        "kybern {} (Kubernetes {}) on {}, data in {}",
        env!("CARGO_PKG_VERSION"),
        serve::version::KUBERNETES,
        url(running.address),
        options.data_dir.display()
    );
    if options.insecure_port != 0 {
        tracing::warn!("http://127.0.0.1:{} gives everybody on this machine full rights", options.insecure_port);
    }
    println!("export KUBECONFIG={}", dir.admin_kubeconfig().display());
}
