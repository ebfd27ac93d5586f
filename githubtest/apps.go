package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
)

// App is a GitHub App. Its fields do not change after AddApp.
type App struct {
	ID           int64
	ClientID     string
	ClientSecret string
	Slug         string
	Name         string
	Owner        string            // login of the account that owns it
	Permissions  map[string]string // what installations get unless they say otherwise

	mu   sync.Mutex
	keys []*rsa.PrivateKey // what JWTs may be signed with, newest last
}

// PrivateKeyPEM returns the App's newest private key in the form that GitHub
// lets you download: PKCS #1.
func (a *App) PrivateKeyPEM() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return encodeKey(a.keys[len(a.keys)-1])
}

// publicKeys returns the keys that verify the App's JWTs.
func (a *App) publicKeys() []*rsa.PublicKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	var keys []*rsa.PublicKey
	for _, k := range a.keys {
		keys = append(keys, &k.PublicKey)
	}
	return keys
}

func encodeKey(k *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

// keyPool shares RSA keys between the servers of one process, for generating
// them takes longer than everything else a test does. Within a server every key
// is different.
var keyPool struct {
	sync.Mutex
	keys []func() (*rsa.PrivateKey, error)
}

// pooledKey returns the process's nth key.
func pooledKey(n int) (*rsa.PrivateKey, error) {
	keyPool.Lock()
	for len(keyPool.keys) <= n {
		keyPool.keys = append(keyPool.keys, sync.OnceValues(func() (*rsa.PrivateKey, error) {
			return rsa.GenerateKey(rand.Reader, 2048)
		}))
	}
	key := keyPool.keys[n]
	keyPool.Unlock()
	return key()
}

// AddApp registers the App described by a, whose ID, Slug and Owner must be
// set, and gives it a private key. ClientID, ClientSecret, Name and Permissions have
// defaults.
func (s *Server) AddApp(a *App) (*App, error) {
	if a.ID == 0 || a.Slug == "" {
		return nil, fmt.Errorf("add App %q: no ID or slug", a.Slug)
	}
	if a.ClientID == "" {
		a.ClientID = fmt.Sprintf("Iv23li%014d", a.ID)
	}
	if a.ClientSecret == "" {
		a.ClientSecret = "CANARY" + randomText(34, "0123456789abcdef")
	}
	if a.Name == "" {
		a.Name = a.Slug
	}
	if a.Permissions == nil {
		a.Permissions = defaultPermissions()
	}
	s.mu.Lock()
	s.world.apps = append(s.world.apps, a)
	s.secret = append(s.secret, a.ClientSecret)
	s.mu.Unlock()
	if _, err := s.AddKey(a); err != nil {
		return nil, err
	}
	return a, nil
}

// AddKey gives the App one more private key, and returns it as PEM. JWTs signed
// with the older ones stay good until RemoveOldKeys.
func (s *Server) AddKey(a *App) ([]byte, error) {
	s.mu.Lock()
	n := s.world.keys
	s.world.keys++
	s.mu.Unlock()
	key, err := pooledKey(n)
	if err != nil {
		return nil, fmt.Errorf("generate key of App %s: %w", a.Slug, err)
	}
	text := encodeKey(key)
	a.mu.Lock()
	a.keys = append(a.keys, key)
	a.mu.Unlock()
	s.mu.Lock()
	s.secret = append(s.secret, string(text))
	s.mu.Unlock()
	return text, nil
}

// RemoveOldKeys deletes all keys of the App but the newest.
func (s *Server) RemoveOldKeys(a *App) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = a.keys[len(a.keys)-1:]
}

// App returns the App with that slug, nil if there is none.
func (s *Server) App(slug string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.world.apps {
		if strings.EqualFold(a.Slug, slug) {
			return a
		}
	}
	return nil
}

// defaultPermissions is what Apps of the demo world are granted.
func defaultPermissions() map[string]string {
	return map[string]string{
		"actions":        "write",
		"administration": "write",
		"checks":         "write",
		"contents":       "write",
		"issues":         "write",
		"metadata":       "read",
		"pull_requests":  "write",
		"workflows":      "write",
		"members":        "read",

		"organization_self_hosted_runners": "write",
	}
}
