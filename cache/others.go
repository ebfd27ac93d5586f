package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
)

// Others is what replicas of the proxy keep together: texts that only they can read and write, each for a time. It is
// safe for concurrent use.
type Others interface {
	// Recall returns what is kept under a key, nil for nothing. It does not wait for long.
	Recall(ctx context.Context, key string) []byte
	// File keeps a text. It does not wait.
	File(key string, text []byte)
	// Go calls a function in a goroutine of its own, and logs its faults.
	Go(work func())
}

const (
	// maxFiled is the longest body that others get, in bytes.
	maxFiled = 256 << 10
	// maxFiling is how many answers are made ready for others at once; those that come then they do not get.
	maxFiling = 4
	// othersVersion begins the key of what others get: its encoding.
	othersVersion = "answer 1"
)

// filedHead is the encoding of an answer without its body, which follows.
type filedHead struct {
	Accept, Authorization bool        // selection
	Selects, Fields       [][2]string // names and values
	Gzip, Pretty, Weak    bool
	Received              Tag
	Given                 []Tag
}

// key is what others keep the answers to a question under.
func (q *Question) key() string {
	return fmt.Sprintf("%s|%q", othersVersion, []string{q.Kind, fmt.Sprint(q.App), fmt.Sprint(q.Installation), q.Own, q.host, q.target, q.accept, q.encoding, q.userAgent, q.apiVersion})
}

// FindFor is Find, which looks for what others have where this Cache has nothing. Others may be nil.
func (c *Cache) FindFor(ctx context.Context, q *Question, request http.Header, viewer uint64, named []Condition, others Others) *Answer {
	found := c.Find(q, request, viewer, named)
	if found != nil || others == nil || c.isQuiet() {
		return found
	}
	text := others.Recall(ctx, q.key())
	if text == nil || !c.adopt(q, request, viewer, text) {
		return nil
	}
	c.counts.recalled.Add(1)
	return c.Find(q, request, viewer, named)
}

// adopt keeps what another replica has filed, and reports whether it is one for a request.
func (c *Cache) adopt(q *Question, request http.Header, viewer uint64, text []byte) bool {
	head, body, ok := decodeFiled(text)
	if !ok {
		return false
	}
	texts := q.appendTo(nil)
	asks := len(texts)
	all := packed(appendFields(texts, fieldsOf(head.Fields)))
	a := &Answer{
		cache: c, sum: q.sum, selects: selectionBy(head.Accept, head.Authorization, fieldsOf(head.Selects)), asks: all[:asks], header: all[asks:],
		length: int64(len(body)), weak: head.Weak, coding: coding{head.Gzip, head.Pretty}, verified: true,
		received: head.Received, given: head.Given[:min(len(head.Given), maxGiven)], viewers: []uint64{viewer},
	}
	if len(body) > 0 {
		a.body = [][]byte{bytes.Clone(body)} // not the head's memory as well
	}
	a.cost = costOf(len(all), len(head.Fields), &a.selects) + a.length
	if !a.selects.matches(request) || a.length > c.bound() || !c.reserve(a.cost) {
		return false
	}
	c.keep(a)
	return true
}

// file gives an answer that is kept to others, once it is known that its ETag is the one that it should be.
func (c *Cache) file(a *Answer, others Others) {
	if others == nil || a.length > maxFiled || !c.holds(a) {
		return
	}
	select {
	case c.filing <- struct{}{}:
	default:
		a.Release()
		return
	}
	others.Go(func() {
		defer func() { <-c.filing }()
		defer a.Release()
		if key, text := a.filed(); text != nil {
			others.File(key, text)
		}
	})
}

// holds begins a use of an answer, and reports whether it is kept still.
func (c *Cache) holds(a *Answer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !a.kept {
		return false
	}
	a.uses++
	return true
}

// filed is the answer for others and the key for it, nil where its ETag is not the one that it should be.
func (a *Answer) filed() (key string, filed []byte) {
	a.mu.Lock()
	ok := a.verify()
	head := filedHead{
		Accept: a.selects.accept, Authorization: a.selects.authorization, Selects: pairsOf(a.selects.fields()), Fields: pairsOf(a.header.fields(nil)),
		Gzip: a.gzip, Pretty: a.coding.pretty, Weak: a.weak, Received: a.received,
	}
	q := a.asks.question()
	a.mu.Unlock()
	if !ok {
		return "", nil
	}
	a.cache.mu.Lock()
	head.Given = append(head.Given, a.given...)
	a.cache.mu.Unlock()
	text, err := json.Marshal(head)
	if err != nil {
		return "", nil
	}
	filed = append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	for _, chunk := range a.body {
		filed = append(filed, chunk...)
	}
	return q.key(), filed
}

// decodeFiled reads what filed has made.
func decodeFiled(text []byte) (head filedHead, body []byte, ok bool) {
	if len(text) < 4 {
		return head, nil, false
	}
	n, rest := uint64(binary.BigEndian.Uint32(text)), text[4:]
	if n > uint64(len(rest)) || uint64(len(rest))-n > maxFiled || json.Unmarshal(rest[:n], &head) != nil {
		return head, nil, false
	}
	return head, rest[n:], true
}

func pairsOf(fields []field) (pairs [][2]string) {
	for _, f := range fields {
		pairs = append(pairs, [2]string{f.name, f.value})
	}
	return pairs
}

func fieldsOf(pairs [][2]string) (fields []field) {
	for _, p := range pairs {
		fields = append(fields, field{p[0], p[1]})
	}
	return fields
}
