package fleet

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Server is a NATS server with JetStream inside this process.
type Server struct {
	server *server.Server
	conn   *nats.Conn
}

// NewServer starts a server that keeps its files in dir. Only one server at a time
// may use dir. By default the server listens on no port, and only this process
// reaches it, through [Server.Conn]. Each option changes the server's own options;
// [Listen] lets other processes reach it.
//
// Acknowledged data is in the files and survives any end of the process. It reaches
// the disk within one second, so a machine that loses power may lose its last
// second of data. After a power failure, check operations that remove licenses: one
// of them may be reported as failed although it was made. SyncAlways in the
// server's options waits for the disk every time.
//
// NATS: https://docs.nats.io/nats-concepts/jetstream
func NewServer(dir string, options ...func(*server.Options)) (*Server, error) {
	if dir == "" {
		return nil, errors.New("fleet: the server needs a directory for its files")
	}
	o := &server.Options{
		ServerName:   "fleet",
		JetStream:    true,
		StoreDir:     dir,
		SyncInterval: time.Second,
		DontListen:   true,
		NoSigs:       true,
		NoLog:        true,
	}
	for _, option := range options {
		option(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(startTime) || !s.JetStreamEnabled() {
		s.Shutdown()
		return nil, errors.New("fleet: the server did not start; another one may use its directory or port")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		s.Shutdown()
		return nil, err
	}
	return &Server{s, conn}, nil
}

// Listen makes a server listen on a port. Port 0 picks a free one. Anybody who
// reaches the port has full access, so use the loopback address, or set
// Authorization and TLS as well.
func Listen(host string, port int) func(*server.Options) {
	return func(o *server.Options) {
		o.DontListen, o.Host, o.Port = false, host, port
		if port == 0 {
			o.Port = server.RANDOM_PORT
		}
	}
}

const startTime = 30 * time.Second

// Conn returns the server's own connection within the process.
func (s *Server) Conn() *nats.Conn { return s.conn }

// URL returns the address at which other processes reach the server, if it listens.
func (s *Server) URL() string { return s.server.ClientURL() }

// Close closes the connection and stops the server. A new server in the same
// directory has everything that was acknowledged.
func (s *Server) Close() error {
	s.conn.Close()
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
