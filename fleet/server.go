package fleet

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Server is a NATS server with JetStream in this process.
type Server struct {
	server *server.Server
	conn   *nats.Conn
}

// NewServer starts a server that keeps its files in dir, which only one server at a
// time may use. By itself it listens on no port: only this process reaches it, by
// [Server.Conn]. Each option changes the server's own options; [Listen] has other
// processes reach it as well.
//
// What is acknowledged is in the files, and survives the end of the process in any
// way. It is on the disk itself after a second at most, so that a machine that loses
// power may lose what came in its last second: let operations that remove licenses be
// looked at after that, since one of them may be reported as failed that was made.
// SyncAlways of the server's options waits for the disk each time.
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

// Listen has a server listen on a port, where anybody who reaches it may do
// everything: choose the loopback address, or set Authorization and TLS as well.
// Port 0 is any that is free.
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

// URL returns where other processes reach the server, if it listens.
func (s *Server) URL() string { return s.server.ClientURL() }

// Close closes the connection and stops the server. Everything that was
// acknowledged is there when another one is started in the same directory.
func (s *Server) Close() error {
	s.conn.Close()
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
