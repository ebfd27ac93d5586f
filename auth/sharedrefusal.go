package auth

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// The first octet of what is shared under the key of a question.
const (
	isAnswer  = 'a'
	isRefusal = 'r'
)

// refusalText is the encoding of a refusal of GitHub's for other replicas.
type refusalText struct {
	Action, Message, Remedy string
	Status                  int
	Lasting, OfApp          bool
	OtherRepository         bool          // it is errOtherRepository
	Wait                    time.Duration // for a rate limit's end, when it was refused
	Until                   time.Time     // it is remembered, by GitHub's clock
}

// isShared reports whether other replicas would be refused the same. What GitHub says of a JWT may be about
// the key of this one, or about its clock; what only this one could not read, it need not share.
func (e *Error) isShared() bool {
	return e.Status != http.StatusUnauthorized && (e.Err == nil || e.Err == errOtherRepository) && e.cacheFor() > 0
}

// refusalFor is what is filed for other replicas where GitHub refuses something, the zero value for nothing.
func (c *caller) refusalFor(err error) filed {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.isShared() {
		return filed{}
	}
	ttl := e.cacheFor()
	text, err := json.Marshal(refusalText{
		Action: e.Action, Message: e.Message, Remedy: e.Remedy, Status: e.Status, Lasting: e.lasting, OfApp: e.ofApp,
		OtherRepository: e.Err == errOtherRepository, Wait: e.wait, Until: c.clock.now().Add(ttl),
	})
	if err != nil {
		return filed{}
	}
	return filed{newGeneration(), append([]byte{isRefusal}, text...), ttl}
}

// refusalIn reads what refusalFor has made, and for how long it is to be remembered.
func (c *caller) refusalIn(text []byte) (e *Error, ttl time.Duration) {
	var in refusalText
	if len(text) == 0 || text[0] != isRefusal || json.Unmarshal(text[1:], &in) != nil {
		return nil, 0
	}
	if ttl = in.Until.Sub(c.clock.now()); ttl <= 0 || ttl > maxRefusalTTL+minSkew {
		return nil, 0
	}
	e = &Error{App: c.Name, Action: in.Action, Status: in.Status, Message: in.Message, Remedy: in.Remedy, lasting: in.Lasting, ofApp: in.OfApp, wait: in.Wait}
	if in.OtherRepository {
		e.Err = errOtherRepository
	}
	if in.Wait > 0 {
		e.RetryAt = time.Now().Add(min(in.Wait, maxReset))
	}
	return e, ttl
}
