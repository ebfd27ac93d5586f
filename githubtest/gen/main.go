//go:build ignore

// The program main prunes GitHub's OpenAPI description to what the fake serves:
// the responses of the operations that testdata/operations.txt lists, and the
// schemas they refer to, without prose and examples. Run it by
//
//	go generate ./githubtest
package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is the npm package that carries GitHub's descriptions:
// https://github.com/octokit/openapi
const source = "@octokit/openapi@23.0.2"

type object = map[string]any

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	if err := run("testdata/operations.txt", "testdata/api.github.com.json"); err != nil {
		log.Fatal(err)
	}
}

func run(operations, output string) error {
	// Enterprise Cloud's description adds what github.com's lacks.
	docs, err := download("package/generated/api.github.com.json", "package/generated/ghec.json")
	if err != nil {
		return err
	}
	list, err := os.Open(operations)
	if err != nil {
		return err
	}
	defer list.Close()
	p := pruner{out: object{}, components: object{}}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if err := p.operation(docs, lines.Text()); err != nil {
			return err
		}
	}
	b, err := json.MarshalIndent(object{
		"openapi":    "3.0.3",
		"info":       object{"title": "Part of GitHub's REST API, from " + source, "version": "1.1.4", "license": object{"name": "MIT"}},
		"paths":      p.out,
		"components": p.components,
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(output, append(b, '\n'), 0o644)
}

// download returns files of the npm package, decoded.
func download(names ...string) ([]object, error) {
	dir, err := os.MkdirTemp("", "openapi-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("npm", "pack", "--silent", source)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", source, err)
	}
	f, err := os.Open(filepath.Join(dir, strings.TrimSpace(string(out))))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decode(f, names)
}

func decode(r io.Reader, names []string) ([]object, error) {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	docs := make([]object, len(names))
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		for i, name := range names {
			if h.Name == name {
				if err := json.NewDecoder(tr).Decode(&docs[i]); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	}
}

// pruner copies what is needed.
type pruner struct {
	out        object // path → method → operation
	components object // kind → name → component
}

// operation copies the operation of a line like "GET /app" from the first
// document that has it.
func (p *pruner) operation(docs []object, line string) error {
	method, path, _ := strings.Cut(line, " ")
	for _, doc := range docs {
		item, _ := doc["paths"].(object)[path].(object)
		op, ok := item[strings.ToLower(method)].(object)
		if !ok {
			continue
		}
		responses := p.prune(doc, op["responses"], false)
		at, ok := p.out[path].(object)
		if !ok {
			at = object{}
			p.out[path] = at
		}
		at[strings.ToLower(method)] = object{"operationId": op["operationId"], "responses": responses}
		return nil
	}
	return fmt.Errorf("%s is in no description", line)
}

// prune copies v without prose and examples, and the components it refers to.
// named is true for maps whose keys are names, not keywords.
func (p *pruner) prune(doc object, v any, named bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = p.prune(doc, x, false)
		}
		return out
	case object:
		out := object{}
		for k, x := range v {
			if !named && (prose[k] || strings.HasPrefix(k, "x-")) {
				continue
			}
			if ref, ok := x.(string); ok && k == "$ref" {
				p.component(doc, ref)
			}
			out[k] = p.prune(doc, x, !named && k == "properties")
		}
		if _, ok := v["description"]; ok && !named && (v["content"] != nil || v["headers"] != nil || len(out) == 0) {
			out["description"] = "" // a response must have one
		}
		return out
	}
	return v
}

var prose = map[string]bool{
	"description": true, "summary": true, "example": true, "examples": true, "externalDocs": true,
	"title": true, "headers": true,
}

// component copies what a reference like #/components/schemas/issue names.
func (p *pruner) component(doc object, ref string) {
	parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
	kind, name := parts[0], parts[1]
	have, ok := p.components[kind].(object)
	if !ok {
		have = object{}
		p.components[kind] = have
	}
	if have[name] != nil {
		return
	}
	have[name] = object{} // ends recursion
	have[name] = p.prune(doc, doc["components"].(object)[kind].(object)[name], false)
}
