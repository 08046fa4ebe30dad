// A server of Node's own that responds to each POST as soon as its head is there, and reads on; and that says 400 to
// whoever offers an upgrade, and keeps the socket without reading it.
//
// GET /seen responds with the requests that have ended, "METHOD PATH BYTES" a line, where BYTES is what it has read of the
// body. GET /healthz responds to the activator's probes. Usage: node early_response.js PORT

"use strict";

const http = require("node:http");

const seen = [];
const kept = [];

const server = http.createServer((request, response) => {
  if (request.url === "/healthz") {
    return response.end("queue");
  }
  if (request.url === "/seen") {
    return response.end(seen.join("\n"));
  }
  let bytes = 0;
  request.on("data", (data) => (bytes += data.length));
  request.on("close", () => seen.push(`${request.method} ${request.url} ${bytes}`));
  response.end("early");
});

server.on("upgrade", (request, socket) => {
  kept.push(socket);
  socket.on("error", () => {});
  socket.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
});

// As behind a load balancer.
server.keepAliveTimeout = 65000;
server.requestTimeout = 0;
server.listen(Number(process.argv[2]), "127.0.0.1");
