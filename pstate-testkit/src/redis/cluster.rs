use super::reply::Reply;
use super::server::{Server, free_port};
use super::server_options::ServerOptions;

/// The number of servers that hold slots at first; each has one replica.
const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A Redis Cluster: three primaries, and a replica of each.
#[derive(Debug)]
pub struct Cluster {
    options: ServerOptions,
    servers: Vec<Server>,
}

impl Cluster {
    /// Starts a cluster, and waits until all slots are served and all replicas are in sync.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or the servers do not form a cluster.
    pub fn start() -> Self {
        Self::start_with(&ServerOptions::new())
    }

    /// Starts a cluster with options for each of the servers.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or the servers do not form a cluster.
    pub fn start_with(options: &ServerOptions) -> Self {
        let servers: Vec<Server> = (0..2 * PRIMARIES).map(|_| start(options)).collect();
        let cluster = Self { options: options.clone(), servers };
        for (n, server) in cluster.servers[..PRIMARIES].iter().enumerate() {
            let first = n * SLOTS / PRIMARIES;
            let last = (n + 1) * SLOTS / PRIMARIES - 1;
            let range = [first.to_string(), last.to_string()];
            server.command(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
            server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        for server in &cluster.servers[1..] {
            cluster.meet(server);
        }
        cluster.wait_until_all_known();
        for n in 0..PRIMARIES {
            let id = cluster.id(n);
            let replica = &cluster.servers[PRIMARIES + n];
            // The command fails until the replica has learned that the primary holds slots.
            replica.wait_for(&["CLUSTER", "REPLICATE", &id], |reply| reply.text() == "OK");
        }
        cluster.wait_until_whole();
        cluster
    }

    /// Adds a primary without slots, waits until all servers know it, and returns its index.
    ///
    /// # Panics
    /// If the server does not join.
    pub fn add_primary(&mut self) -> usize {
        let server = start(&self.options);
        self.meet(&server);
        self.servers.push(server);
        self.wait_until_all_known();
        self.wait_until_whole();
        self.servers.len() - 1
    }

    /// Introduces a server to the first one.
    fn meet(&self, server: &Server) {
        let reply = server.command(&["CONFIG", "GET", "cluster-port"]);
        let (port, bus) = (server.port().to_string(), reply.list()[1].text());
        self.servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
    }

    /// Waits until each server knows all others.
    fn wait_until_all_known(&self) {
        let count = u64::try_from(self.servers.len()).ok();
        for server in &self.servers {
            server.wait_for(&["CLUSTER", "INFO"], |info| {
                info.info_number("cluster_known_nodes") == count
            });
        }
    }

    /// The servers: the primaries, their replicas, then the primaries that were added.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The servers, for killing and restarting them.
    pub fn servers_mut(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// The addresses of all servers: `127.0.0.1:1,127.0.0.1:2,…`.
    pub fn hosts(&self) -> String {
        let host = |server: &Server| format!("127.0.0.1:{}", server.port());
        self.servers.iter().map(host).collect::<Vec<_>>().join(",")
    }

    /// The node id of a server.
    pub fn id(&self, server: usize) -> String {
        self.servers[server].command(&["CLUSTER", "MYID"]).text().to_owned()
    }

    /// Waits until all servers agree that all slots are served, and all replicas are connected to
    /// their primaries.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn wait_until_whole(&self) {
        for server in &self.servers {
            server.wait_for(&["CLUSTER", "INFO"], |info| info.text().contains("cluster_state:ok"));
            server.wait_for(&["CLUSTER", "NODES"], |nodes| {
                let nodes = nodes.text();
                let slaves = nodes.lines().filter(|line| line.contains("slave")).count();
                slaves == PRIMARIES && !nodes.contains("fail") && !nodes.contains("handshake")
            });
            server.wait_for(&["INFO", "replication"], |info| {
                let info = info.text();
                !info.contains("role:slave") || info.contains("master_link_status:up")
            });
        }
    }

    /// The index of the server that holds a slot.
    ///
    /// # Panics
    /// If no server holds it.
    pub fn holder(&self, slot: u16) -> usize {
        let holds = |server: &Server| {
            let id = server.command(&["CLUSTER", "MYID"]);
            holder_in(&server.command(&["CLUSTER", "SLOTS"]), slot).as_deref() == Some(id.text())
        };
        self.servers
            .iter()
            .position(|server| server.try_command(&["PING"]).is_ok() && holds(server))
            .expect("a server that holds the slot")
    }

    /// Begins to migrate a slot to another server. From now on its holder redirects requests for
    /// missing keys to the new server.
    pub fn begin_migration(&self, slot: u16, to: usize) {
        let from = self.holder(slot);
        let (slot, from_id, to_id) = (slot.to_string(), self.id(from), self.id(to));
        self.servers[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        self.servers[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    }

    /// Moves up to `count` keys of a migrating slot, and returns the number of moved keys.
    pub fn migrate_keys(&self, slot: u16, to: usize, count: usize) -> usize {
        let from = self.holder(slot);
        let (slot, count) = (slot.to_string(), count.to_string());
        let keys = self.servers[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]);
        let keys: Vec<&str> = keys.list().iter().map(Reply::text).collect();
        if keys.is_empty() {
            return 0;
        }
        let port = self.servers[to].port().to_string();
        let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
        command.extend(&keys);
        self.servers[from].command(&command);
        keys.len()
    }

    /// Ends the migration of a slot, and waits until all servers know its new holder.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn end_migration(&self, slot: u16, to: usize) {
        let (number, id) = (slot.to_string(), self.id(to));
        for server in [to, self.holder(slot)] {
            self.servers[server].command(&["CLUSTER", "SETSLOT", &number, "NODE", &id]);
        }
        let knows = |reply: &Reply| holder_in(reply, slot).as_deref() == Some(&id);
        for server in &self.servers {
            server.wait_for(&["CLUSTER", "SLOTS"], knows);
        }
        // The next server to claim a slot compares its epoch: it must know the current one.
        let epoch = |info: &Reply| info.info_number("cluster_current_epoch");
        let last = epoch(&self.servers[to].command(&["CLUSTER", "INFO"]));
        for server in &self.servers {
            server.wait_for(&["CLUSTER", "INFO"], |info| epoch(info) >= last);
        }
    }

    /// The slot of a key.
    ///
    /// # Panics
    /// If the server does not reply with a number.
    pub fn slot_of(&self, key: &str) -> u16 {
        match self.servers[0].command(&["CLUSTER", "KEYSLOT", key]) {
            Reply::Number(slot) => u16::try_from(slot).unwrap_or_default(),
            other => panic!("expected a slot, got {other:?}"),
        }
    }

    /// Cuts all replicas off from their primaries for good, so that they lag.
    pub fn stop_replication(&self) {
        for server in &self.servers[..PRIMARIES] {
            server.command(&["ACL", "SETUSER", "default", "-psync", "-sync"]);
            server.command(&["CLIENT", "KILL", "TYPE", "replica"]);
        }
        for server in &self.servers[PRIMARIES..2 * PRIMARIES] {
            server.wait_for(&["INFO", "replication"], |info| {
                info.text().contains("master_link_status:down")
            });
        }
    }

    /// Waits until all replicas are in sync and all servers list them. Each primary must have
    /// received a write.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn wait_until_replicas_serve(&self) {
        for primary in 0..PRIMARIES {
            self.wait_until_replicated(primary, Self::replica_of(primary));
        }
        for server in &self.servers {
            server.wait_for(&["CLUSTER", "SLOTS"], |ranges| {
                ranges.list().iter().all(|range| range.list().len() == 4)
            });
        }
    }

    /// Waits until a replica has all writes that its primary has now.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn wait_until_replicated(&self, primary: usize, replica: usize) {
        let info = self.servers[primary].command(&["INFO", "replication"]);
        let written = info.info_number("master_repl_offset");
        self.servers[replica].wait_for(&["INFO", "replication"], |info| {
            info.info_number("slave_repl_offset") >= written
        });
    }

    /// Promotes a replica by a manual failover, and waits until it is a primary.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn fail_over(&self, replica: usize) {
        self.servers[replica].command(&["CLUSTER", "FAILOVER"]);
        self.wait_until_taken_over(replica);
    }

    /// Waits until a replica has taken over from its primary.
    ///
    /// # Panics
    /// If that takes more than half a minute.
    pub fn wait_until_taken_over(&self, replica: usize) {
        self.servers[replica]
            .wait_for(&["ROLE"], |role| role.list()[0] == Reply::Text("master".to_owned()));
    }

    /// The index of the server that starts as the replica of a primary.
    pub fn replica_of(primary: usize) -> usize {
        primary + PRIMARIES
    }
}

fn start(options: &ServerOptions) -> Server {
    Server::start_with(
        &options
            .clone()
            .set("cluster-enabled", "yes")
            .set("cluster-node-timeout", "1000")
            .set("cluster-port", &free_port().to_string())
            .set("repl-diskless-sync-delay", "0"),
    )
}

/// The node id of the holder of a slot, in a reply to `CLUSTER SLOTS`.
fn holder_in(ranges: &Reply, slot: u16) -> Option<String> {
    ranges.list().iter().find_map(|range| match range.list() {
        [Reply::Number(first), Reply::Number(last), node, ..] => {
            let holds = (*first..=*last).contains(&i64::from(slot));
            holds.then(|| node.list()[2].text().to_owned())
        }
        _ => None,
    })
}
