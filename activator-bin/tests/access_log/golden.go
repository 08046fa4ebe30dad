// Writes the expectations in golden.json with Go's own text/template:
//
//	go run golden.go
//
// As in Knative, a template that fails leaves a line that says so. A line gets its end unless it has one; Knative adds it
// to the template, where "-}}" trims it. An empty line is not written.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/template"
)

type response struct {
	Code    int
	Size    int
	Latency float64
}

type revision struct {
	Name, Namespace, Service, Configuration, PodName, PodIP string
}

type entry struct {
	Head       string   `json:"head"`
	RemoteAddr string   `json:"remote_addr"`
	Response   response `json:"response"`
	Revision   revision `json:"revision"`
	TraceID    string   `json:"trace_id"`
}

type testCase struct {
	Entry    string `json:"entry"`
	Template string `json:"template"`
	Line     string `json:"line"`
}

type golden struct {
	Entries map[string]entry `json:"entries"`
	Cases   []testCase       `json:"cases"`
}

func line(entry entry, source string) string {
	head := strings.ReplaceAll(entry.Head, "\n", "\r\n") + "\r\n\r\n"
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	check(err)
	request.RemoteAddr = entry.RemoteAddr
	data := struct {
		Request  *http.Request
		Response *response
		Revision *revision
		TraceID  string
	}{request, &entry.Response, &entry.Revision, entry.TraceID}
	parsed, err := template.New("requestLog").Parse(source)
	check(err)
	var line bytes.Buffer
	if err := parsed.Execute(&line, data); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return fmt.Sprintf("Invalid request log template: method: %v, response code: %v, latency: %v, url: %v\n",
			request.Method, entry.Response.Code, entry.Response.Latency, request.URL)
	}
	text := strings.TrimSuffix(line.String(), "\n")
	if text == "" {
		return ""
	}
	return text + "\n"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	const file = "golden.json"
	data, err := os.ReadFile(file)
	check(err)
	var golden golden
	check(json.Unmarshal(data, &golden))
	for index := range golden.Cases {
		test := &golden.Cases[index]
		test.Line = line(golden.Entries[test.Entry], test.Template)
	}
	var written bytes.Buffer
	written.WriteString("{\"entries\": {\n")
	lines(&written, slices.Sorted(maps.Keys(golden.Entries)), func(name string) string {
		return encoded(name) + ": " + encoded(golden.Entries[name])
	})
	written.WriteString("}, \"cases\": [\n")
	lines(&written, golden.Cases, func(test testCase) string { return encoded(test) })
	written.WriteString("]}\n")
	check(os.WriteFile(file, written.Bytes(), 0o644))
}

func lines[T any](to *bytes.Buffer, all []T, line func(T) string) {
	for index, each := range all {
		to.WriteString(line(each))
		if index < len(all)-1 {
			to.WriteByte(',')
		}
		to.WriteByte('\n')
	}
}

func encoded(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(value))
	return strings.TrimSpace(text.String())
}
