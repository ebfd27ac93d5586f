package policy

import (
	"fmt"
	"net/http"
	"strings"
)

// Denial says why a client may not do something. Only the client and those who
// read the log see it: it repeats words of the request.
type Denial struct {
	Client string // its name
	Key    string // the key that decided, as "client.agent.deny[1]" or "grant.ID.push"
	Reason string // "may not write": what follows the client's name, without a full stop
	Remedy string // what can be done, "" if nothing is known
	Status int    // to answer with
}

// Error implements error. It has everything but the remedy.
func (d *Denial) Error() string {
	return fmt.Sprintf("client %s %s (%s)", d.Client, d.Reason, d.Key)
}

// deny makes a Denial that a key of the client's, or of its grant's, decides; "" is
// the table as a whole.
func (c *Client) deny(key, remedy, format string, args ...any) *Denial {
	name := "client." + c.Name
	if c.Grant != "" {
		name = "grant." + c.Grant
	}
	if key != "" {
		name += "." + key
	}
	return &Denial{Client: c.Name, Key: name, Reason: fmt.Sprintf(format, args...), Remedy: remedy, Status: http.StatusForbidden}
}

// element is the key of one element of an array, which are counted from 1.
func element(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i+1) }

// some lists the first values of a list.
func some[T any](values []T) string {
	const most = 5
	var texts []string
	for _, v := range values[:min(len(values), most)] {
		texts = append(texts, fmt.Sprint(v))
	}
	if len(values) > most {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}
