package grant

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"time"
)

const (
	// Prefix begins each grant, so that scanners for secrets find it.
	Prefix = "ghapg_"
	// MaxText is how long a grant may be, in bytes.
	MaxText = 4096
	// MaxLinks is how many links a grant may have.
	MaxLinks = 16

	version   = 1
	maxClient = 64 // as config has it
)

// Grant is a grant as it is written: nobody has verified it. It is not changed once
// it is made.
type Grant struct {
	Client string    // whose it is
	Links  []Caveats // from the root on, at least one

	key   KeyID
	nonce [16]byte
	texts [][]byte // of the links, as they are signed
	sig   signature
}

type signature [sha256.Size]byte

// ID names a link of a grant, and the grant that ends with it.
type ID [10]byte

// String returns 16 capital letters and digits.
func (id ID) String() string { return base32.StdEncoding.EncodeToString(id[:]) }

// ErrNoID says that a text is not the id of a grant.
var ErrNoID = errors.New("not the id of a grant: 16 capital letters and digits")

// ParseID reads what String returns.
func ParseID(s string) (id ID, err error) {
	b, err := base32.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, ErrNoID
	}
	return ID(b), nil
}

// id is that of the link with which the signature is made. Nobody learns the
// signature from it.
func (s signature) id() ID {
	sum := sha256.Sum256(append([]byte("ghapp-proxy grant\x00"), s[:]...))
	return ID(sum[:len(ID{})])
}

// New makes a grant for a client, signed with the first of the keys. The caveats
// need an end.
func New(keys Keys, client string, caveats Caveats) (*Grant, error) {
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	if client == "" || len(client) > maxClient {
		return nil, errors.New("not the name of a client")
	}
	g := &Grant{Client: client, key: keys[0].ID()}
	rand.Read(g.nonce[:])
	g.sig = sign(keys[0].root(), g.header())
	return g.Narrow(caveats)
}

// Narrow returns a grant for what both the grant and the caveats allow.
func (g *Grant) Narrow(caveats Caveats) (*Grant, error) {
	if err := caveats.check(); err != nil {
		return nil, err
	}
	text := caveats.text()
	narrowed := *g
	narrowed.Links = append(slices.Clone(g.Links), caveats)
	narrowed.texts = append(slices.Clone(g.texts), text)
	narrowed.sig = sign(g.sig[:], text)
	switch {
	case len(narrowed.Links) > MaxLinks:
		return nil, fmt.Errorf("a grant can be narrowed %d times at most", MaxLinks-1)
	case len(narrowed.encode()) > MaxText:
		return nil, fmt.Errorf("the grant would be longer than %d bytes: name less in it, with patterns", MaxText)
	}
	return &narrowed, nil
}

// sign is a step of the chain.
func sign(key, text []byte) signature {
	mac := hmac.New(sha256.New, key)
	mac.Write(text)
	return signature(mac.Sum(nil))
}

// chain are the ids of the links if the grant was signed with the key; nil if not.
func (g *Grant) chain(key Key) []ID {
	sig := sign(key.root(), g.header())
	ids := make([]ID, len(g.texts))
	for i, text := range g.texts {
		sig = sign(sig[:], text)
		ids[i] = sig.id()
	}
	if !hmac.Equal(sig[:], g.sig[:]) {
		return nil
	}
	return ids
}

// ID is the id of the last link. Those of the others only the proxy knows.
func (g *Grant) ID() ID { return g.sig.id() }

// header is what the root signs.
func (g *Grant) header() []byte {
	b := make([]byte, 0, 128)
	b = append(b, version)
	b = append(b, g.key[:]...)
	b = append(b, g.nonce[:]...)
	b = append(b, byte(len(g.Client)))
	return append(b, g.Client...)
}

func (g *Grant) encode() string {
	b := append([]byte(Prefix), g.header()...)
	for _, text := range g.texts {
		b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
		b = append(b, text...)
	}
	b = append(b, g.sig[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return Prefix + base64.RawURLEncoding.EncodeToString(b[len(Prefix):])
}

// Text is the grant as the proxy takes it: a secret.
func (g *Grant) Text() string { return g.encode() }

// Is reports whether a secret is meant to be a grant.
func Is(secret string) bool { return strings.HasPrefix(secret, Prefix) }

var errMalformed = errors.New("not a grant, or not all of one")

// Parse reads what Text returns. It verifies nothing but the form; its errors quote
// nothing of the text.
func Parse(text string) (*Grant, error) {
	encoded, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(text) > MaxText {
		return nil, errMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || len(b) < 4 {
		return nil, errMalformed
	}
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(Prefix)), crc32.IEEETable, b[:len(b)-4])
	if sum != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return nil, errMalformed
	}
	g := new(Grant)
	if err := g.decode(b[:len(b)-4]); err != nil {
		return nil, err
	}
	return g, nil
}

// decode reads what stands before the checksum.
func (g *Grant) decode(b []byte) error {
	const fixed = 1 + len(g.key) + len(g.nonce) + 1
	if len(b) < fixed+len(g.sig) {
		return errMalformed
	}
	if b[0] != version {
		return errors.New("a grant of another version of the proxy")
	}
	copy(g.key[:], b[1:])
	copy(g.nonce[:], b[1+len(g.key):])
	copy(g.sig[:], b[len(b)-len(g.sig):])
	n, rest := int(b[fixed-1]), b[fixed:len(b)-len(g.sig)]
	if n == 0 || n > maxClient || n > len(rest) {
		return errMalformed
	}
	g.Client, rest = string(rest[:n]), rest[n:]
	for len(rest) > 0 {
		if len(rest) < 2 || len(g.Links) == MaxLinks {
			return errMalformed
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; n > len(rest) {
			return errMalformed
		}
		caveats, err := parseCaveats(rest[:n])
		if err != nil {
			return err
		}
		g.Links, g.texts = append(g.Links, caveats), append(g.texts, rest[:n:n])
		rest = rest[n:]
	}
	if len(g.Links) == 0 {
		return errMalformed
	}
	return nil
}

// String says which it is; it is not the secret.
func (g *Grant) String() string { return "grant " + g.ID().String() }

// GoString is String.
func (g *Grant) GoString() string { return g.String() }

// LogValue implements slog.LogValuer.
func (g *Grant) LogValue() slog.Value { return slog.StringValue(g.String()) }

// Equal reports whether two grants are the same.
func (g *Grant) Equal(other *Grant) bool {
	return bytes.Equal(g.header(), other.header()) && g.sig == other.sig
}

// Expires is when the grant ends, by what it says; the zero value for never, which no
// proxy takes.
func (g *Grant) Expires() (end time.Time) {
	for i := range g.Links {
		at := time.Unix(g.Links[i].Expires, 0)
		if g.Links[i].Expires != 0 && (end.IsZero() || at.Before(end)) {
			end = at
		}
	}
	return end
}
