package shared

import (
	"context"
	"strings"
	"sync"

	"ghapp-proxy/panics"
)

// wakeMessage begins a message that something was filed; its name follows.
const wakeMessage = "w"

// topicMessage begins a message of a topic: a name, a colon, and what it says.
const topicMessage = "t"

// maxMessage bounds what is read of a message, in bytes.
const maxMessage = 4 << 10

// events are the messages between replicas, and who waits for them.
type events struct {
	mu      sync.Mutex
	waiting map[string][]*waiter    // slot → who waits for what is filed there
	topics  map[string]func([]byte) // name → who is told
}

// waiter waits for something to be filed.
type waiter struct{ again chan struct{} }

// start listens until the end of the store.
func (e *events) start(s *Store) {
	e.waiting, e.topics = make(map[string][]*waiter), make(map[string]func([]byte))
	messages := s.client.Subscribe(s.life, s.channel())
	s.work.Go(func() {
		defer messages.Close()
		incoming := messages.Channel()
		for {
			select {
			case <-s.life.Done():
				return
			case m, ok := <-incoming:
				if !ok {
					return
				}
				e.take(s, m.Payload)
			}
		}
	})
}

// channel is where replicas tell each other.
func (s *Store) channel() string { return s.opts.Prefix + "events" }

// take takes a message in.
func (e *events) take(s *Store, text string) {
	defer panics.Log(s.opts.Log, "a message of another replica was not understood")
	if len(text) > maxMessage {
		return
	}
	if slot, ok := strings.CutPrefix(text, wakeMessage); ok {
		e.wake(slot)
		return
	}
	rest, ok := strings.CutPrefix(text, topicMessage)
	topic, says, cut := strings.Cut(rest, ":")
	if !ok || !cut {
		return
	}
	e.mu.Lock()
	told := e.topics[topic]
	e.mu.Unlock()
	if told != nil {
		told([]byte(says))
	}
}

// wait begins to wait for what is filed in a slot.
func (e *events) wait(slot string) *waiter {
	w := &waiter{make(chan struct{}, 1)}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting[slot] = append(e.waiting[slot], w)
	return w
}

// leave ends the wait.
func (e *events) leave(slot string, w *waiter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := e.waiting[slot][:0:0]
	for _, other := range e.waiting[slot] {
		if other != w {
			left = append(left, other)
		}
	}
	if len(left) == 0 {
		delete(e.waiting, slot)
	} else {
		e.waiting[slot] = left
	}
}

func (e *events) wake(slot string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.waiting[slot] {
		select {
		case w.again <- struct{}{}:
		default:
		}
	}
}

// Tell tells all replicas something, this one as well. Whoever can write the store can, too. A
// replica that is not connected does not hear it.
func (s *Store) Tell(topic string, says []byte) {
	s.write(topic, func(ctx context.Context) error {
		return s.client.Publish(ctx, s.channel(), topicMessage+topic+":"+string(says)).Err()
	})
}

// Hear has f called with what is told of a topic, one after the other.
func (s *Store) Hear(topic string, f func(says []byte)) {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	s.events.topics[topic] = f
}
