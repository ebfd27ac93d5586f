package shared

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The defaults of Options.
const (
	DefaultPrefix   = "ghapp-proxy:"
	DefaultPatience = 20 * time.Millisecond
	DefaultTimeout  = 2 * time.Second
)

// Options say which store it is. What is not there has a default, but for the URL.
type Options struct {
	// URL is redis://, rediss:// (TLS) or unix:// as github.com/redis/go-redis reads it, with user and password. With
	// master_name among its parameters it names sentinels, with cluster=true nodes of a cluster; further ones are in
	// parameters addr. It is a secret.
	URL string
	// Roots are the CAs that the store's certificate is checked with, nil for the system's.
	Roots *x509.CertPool
	// Prefix begins all names.
	Prefix string
	// Patience is how long a request waits for an answer.
	Patience time.Duration
	// Timeout is how long what nobody waits for may take.
	Timeout time.Duration
	// Log is told when the store is away, and when it is back.
	Log *slog.Logger
}

var errURL = errors.New("no URL of a Valkey or Redis: redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss:// for TLS, or unix://PATH; with ?master_name=NAME for sentinels, ?cluster=true for a cluster, and &addr=HOST:PORT for further ones")

var errSkipVerify = errors.New("skip_verify is not allowed: whoever is on the way could write the store; name the CA instead")

// CheckURL says what is wrong with a URL, without quoting it: it may have a password.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

// parseURL reads a URL.
func parseURL(text string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"redis", "rediss", "unix"}, u.Scheme) {
		return nil, errURL
	}
	query := u.Query()
	if query.Has("skip_verify") {
		return nil, errSkipVerify
	}
	isCluster := query.Get("cluster") == "true"
	query.Del("cluster")
	u.RawQuery = query.Encode()
	switch {
	case u.Scheme != "unix" && u.Hostname() == "":
		return nil, errURL
	case query.Has("master_name"):
		return failover(u.String())
	case isCluster:
		return cluster(u.String())
	case query.Has("addr"):
		return nil, errURL // one of many, and which?
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, errURL // not the error, which may quote the password
	}
	if o.Network == "unix" {
		o.TLSConfig = nil
	}
	return &redis.UniversalOptions{Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig}, nil
}

func failover(text string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseFailoverURL(text)
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{
		Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB, Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword, TLSConfig: o.TLSConfig,
	}, nil
}

func cluster(text string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseClusterURL(text)
	if err != nil {
		return nil, errURL
	}
	return &redis.UniversalOptions{Addrs: o.Addrs, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig, IsClusterMode: true}, nil
}

// maxConnections is how many connections to a node are open at most: more questions
// than are asked at once.
const maxConnections = 64

// connect makes the client, which connects when it is first asked.
func (o *Options) connect() (redis.UniversalClient, error) {
	opts, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if opts.TLSConfig != nil {
		opts.TLSConfig = &tls.Config{ServerName: opts.TLSConfig.ServerName, RootCAs: o.Roots, MinVersion: tls.VersionTLS12}
	}
	opts.Dialer = dialer(opts.TLSConfig, o.Timeout)
	opts.ClientName = "ghapp-proxy"
	opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = o.Timeout, o.Timeout, o.Timeout, o.Timeout
	opts.ContextTimeoutEnabled, opts.PoolSize, opts.MinIdleConns, opts.ConnMaxIdleTime = true, maxConnections, 2, 5*time.Minute
	// A connection that the store has closed is found out by the first question, which is asked again at once.
	opts.MaxRetries, opts.MinRetryBackoff, opts.MaxRetryBackoff, opts.DialerRetries = 1, time.Millisecond, time.Millisecond, 1
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	redis.SetLogger(silent{}) // what it says would quote addresses without bound; errors come back
	return redis.NewUniversalClient(opts), nil
}

// silent logs nothing.
type silent struct{}

// Printf implements go-redis' interface of loggers.
func (silent) Printf(context.Context, string, ...any) {}
