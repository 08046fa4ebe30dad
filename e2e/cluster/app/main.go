// A user's container: tells what it saw of each request, over HTTP/1.1, h2c and WebSocket.
//
//	?sleep=250ms  responds after that long
//	?size=1024    responds with that many bytes instead
//
// A WebSocket's first message is what its handshake looked like; after that each message is echoed.
// With START_DELAY=200ms it listens that long after its start.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

type seen struct {
	Pod      string      `json:"pod"`
	InFlight int64       `json:"in_flight"` // requests at that moment, this one included
	At       int64       `json:"at"`        // that moment, in microseconds since 1970
	Proto    string      `json:"proto"`
	Host     string      `json:"host"`
	Path     string      `json:"path"`
	Headers  http.Header `json:"headers"`
}

var (
	upgrader = websocket.Upgrader{}
	inFlight atomic.Int64
)

func serve(w http.ResponseWriter, r *http.Request) {
	what := seen{
		os.Getenv("HOSTNAME"), inFlight.Add(1), time.Now().UnixMicro(), r.Proto, r.Host, r.URL.Path, r.Header,
	}
	defer inFlight.Add(-1)
	if websocket.IsWebSocketUpgrade(r) {
		echo(w, r, what)
		return
	}
	query := r.URL.Query()
	if delay, err := time.ParseDuration(query.Get("sleep")); err == nil {
		time.Sleep(delay)
	}
	if size, err := strconv.Atoi(query.Get("size")); err == nil {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.Write([]byte(strings.Repeat("x", size)))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(what)
}

func echo(w http.ResponseWriter, r *http.Request, what seen) {
	socket, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		log.Print(err)
		return
	}
	defer socket.Close()
	if err := socket.WriteJSON(what); err != nil {
		return
	}
	for {
		kind, message, err := socket.ReadMessage()
		if err != nil || socket.WriteMessage(kind, message) != nil {
			return
		}
	}
}

func main() {
	if delay, err := time.ParseDuration(os.Getenv("START_DELAY")); err == nil {
		time.Sleep(delay)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: http.HandlerFunc(serve), Protocols: protocols}
	log.Fatal(server.ListenAndServe())
}
