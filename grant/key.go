package grant

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// Key is a root key: with it grants are made and verified. Its text is a secret.
type Key struct {
	secret [32]byte
	signs  signature // the root of each chain, made of the secret
	id     KeyID
}

// KeyID tells keys apart. It stands in each grant.
type KeyID [8]byte

// Keys are the root keys: the first signs, all verify.
type Keys []Key

// ErrNoKey says that there is no root key.
var ErrNoKey = errors.New("there is no root key for grants")

// MaxKeys is how many root keys there may be.
const MaxKeys = 32

// NewKey makes a key.
func NewKey() Key {
	var secret [32]byte
	rand.Read(secret[:])
	return keyOf(secret)
}

func keyOf(secret [32]byte) Key {
	sum := sha256.Sum256(append([]byte("ghapp-proxy root key\x00"), secret[:]...))
	return Key{secret, signature(deriveRoot(secret[:])), KeyID(sum[:len(KeyID{})])}
}

// ID says which key it is. Nobody learns the key from it.
func (k Key) ID() KeyID { return k.id }

// keyGenerator derives what signs, as libmacaroons does: so a root key of any kind
// becomes one of the length that HMAC-SHA-256 wants.
const keyGenerator = "macaroons-key-generator"

func (k Key) root() []byte { return k.signs[:] }

func deriveRoot(secret []byte) []byte {
	root := sign([]byte(keyGenerator), secret)
	return root[:]
}

// text is a line of a key file.
func (k Key) text() string { return base64.StdEncoding.EncodeToString(k.secret[:]) }

// String tells nothing of the key.
func (k Key) String() string { return "[root key for grants]" }

// GoString is String.
func (k Key) GoString() string { return k.String() }

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// find returns the key of that id.
func (keys Keys) find(id KeyID) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID() == id })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// ParseKeys reads a key file: a key a line, which is the base64 of 32 random bytes
// (openssl rand -base64 32), the one that signs first. Empty lines, and those that
// begin with #, are left out. Its errors quote no key.
func ParseKeys(text []byte) (keys Keys, err error) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(b) != len(Key{}.secret) {
			return nil, fmt.Errorf("line %d: not the base64 of 32 bytes: `openssl rand -base64 32` makes them", i+1)
		}
		keys = append(keys, keyOf([32]byte(b)))
	}
	switch {
	case len(keys) == 0:
		return nil, ErrNoKey
	case len(keys) > MaxKeys:
		return nil, fmt.Errorf("has more than %d keys: leave out those that have made no grant for %v", MaxKeys, MaxLifetime)
	}
	return keys, nil
}

// format is what ParseKeys reads.
func (keys Keys) format() []byte {
	text := []byte("# Root keys for grants of ghapp-proxy: the first signs, all verify.\n# Whoever reads this can make a grant for each client.\n")
	for _, k := range keys {
		text = append(text, k.text()+"\n"...)
	}
	return text
}
