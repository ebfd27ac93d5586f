// Package config turns a TOML file and the environment into a checked Config.
//
// Whoever edits the file learns of all faults at once, each with its line and its
// remedy. No other package has to doubt a setting: names are lower case where case
// does not count, paths are absolute, keys are parsed, defaults are filled in.
//
//	cfg, err := config.Load(ctx, config.Source{
//		Path:      *configFlag, // "" if the flag was not given
//		LookupEnv: os.LookupEnv,
//		HomeDir:   home,
//	})
//	if err != nil {
//		fmt.Fprintln(os.Stderr, err) // a *config.Error: all faults, one after the other
//		os.Exit(2)
//	}
//	for _, warning := range cfg.Warnings { … }
//
// # Where the configuration comes from
//
// From one place: the file named by Source.Path, else by $GHAPP_PROXY_CONFIG,
// else $XDG_CONFIG_HOME/ghapp-proxy/config.toml (~/.config without that
// variable). Nothing is looked for in the current directory, whose owner may
// be hostile; that includes ./github-app-key.pem, which other tools take for
// the key.
//
// Only where there is no file at all does the environment describe the App:
//
//	GITHUB_APP_ID, GITHUB_APP_CLIENT_ID          which App; one or both
//	GITHUB_APP_PRIVATE_KEY, GITHUB_PRIVATE_KEY, PRIVATE_KEY
//	                                             its key as text, or …
//	GITHUB_APP_PRIVATE_KEY_PATH, GITHUB_PRIVATE_KEY_PATH, PRIVATE_KEY_PATH
//	                                             … in a file; one of the six
//	GITHUB_APP_INSTALLATION_ID                   default_installation
//	GITHUB_APP_CLIENT_SECRET                     the client secret
//	GITHUB_APP_HOST                              host, github.com if unset
//
// A variable that is set but empty counts as unset.
//
// # Limitations
//
// The configuration is read when the caller asks; nothing is watched here. Files with private keys
// are read again as long as the Apps are used, and a signer_command is run. It
// gets the environment of the process without the variables that hold other
// secrets, and its children end with it. Commands that print a secret inherit
// all of the environment, and children that they leave behind are not killed
// when they time out. A fault inside an array is reported at
// the line of its key. A syntax error hides every other fault, save for a key that is there twice. Whether GitHub
// accepts an id or a key is found out by its first use, not here.
package config

import (
	"crypto/tls"
	"net/url"
	"time"

	"ghapp-proxy/auth"
	"ghapp-proxy/governor"
	"ghapp-proxy/oidc"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// Config is a complete, checked configuration: every default is filled in,
// every key is loaded, every relative path is made absolute.
type Config struct {
	// File is the configuration file, "" if the environment was enough.
	File string
	Fixed
	Live

	// SecretEnv names every environment variable that a secret was read from
	// or could have been: `run` withholds them from its child. Sorted.
	SecretEnv []string
	// Warnings are faults that do not stop the program, in the form of errors.
	Warnings []string
}

// Fixed is what only a restart of `serve` changes: what it listens on, and what it shares. The tag of a
// field is its key. Client.Listen of the Clients is fixed as well.
type Fixed struct {
	Listen      string      `key:"listen"` // address of the proxy
	Form        Form        `key:"listen"` // what is spoken there
	Admin       Admin       `key:"admin"`
	Shared      Shared      `key:"shared"`
	Remember    bool        `key:"remember"` // keep what was learned over a restart, in StateDir
	Transparent Transparent `key:"transparent"`
}

// Live is all else: a reload puts it in force.
type Live struct {
	StateDir       string // where the CA is kept
	GrantKeyFile   string // with the root keys of grants; "" for one in StateDir
	AllowAnonymous bool   // serve peers that are not known to be the same user
	PlainHTTP      bool   // serve http:// absolute-form requests for served hosts
	WithoutRelay   bool   // read all requests with net/http's server

	Apps     []*auth.App // in the order of the file; at least one
	Fallback auth.Fallback
	// RevokeOnExit says whether cached tokens are revoked at the end; nil
	// leaves it to the command: run does, serve does not.
	RevokeOnExit *bool
	JWTWrites    bool // let JWT routes be written to
	Exchange     Exchange
	// DefaultOwner is the login whose installation serves requests that name
	// nobody, "" for none.
	DefaultOwner string
	// Origins are those of web pages whose requests get a credential, "*" for
	// all: in lower case, as browsers send them.
	Origins []string
	Rules   []rules.Rule // the user's own, in the order of the file
	// Clients are those of the [client.NAME] tables; without any, everybody who
	// is admitted has no limits.
	Clients *policy.Set
	// Issuers sign the tokens by which some of the Clients are told, and Tokens say which
	// these are.
	Issuers []*oidc.Issuer
	Tokens  []*oidc.Client
	// AuditLog is the file of the audit log; "" for none, "-" for standard error.
	AuditLog string
	// AuditRequired refuses what cannot be recorded there.
	AuditRequired bool
	// Watch says whether serve reads the configuration again by itself when one of
	// its files has changed.
	Watch bool
	// ShutdownDelay is how long serve goes on as ever when it is told to end, but for
	// saying so: to load balancers, and to clients with each answer.
	ShutdownDelay time.Duration
	// ShutdownGrace is how long what is under way may take at the end of serve.
	ShutdownGrace time.Duration

	CA       CA
	TLS      TLS
	Upstream Upstream
	Cache    Cache
	Governor governor.Settings
	// Egress limits where tunnels may go; nil if the file has no [egress].
	Egress *policy.Egress
}

// SecretTextEnv are those of SecretEnv that hold a secret, rather than the path
// of a file with one.
func (c *Config) SecretTextEnv() []string { return withoutPaths(c.SecretEnv) }

// Exchange says what a program gets that asks for an installation token.
type Exchange string

// The values of Exchange.
const (
	ExchangeOff         Exchange = ""            // a refusal
	ExchangePlaceholder Exchange = "placeholder" // a token that is good through the proxy only
)

// CA is the [ca] table.
type CA struct {
	CertFile, KeyFile string // both or neither
	NameConstraints   bool
}

// Form is what clients speak to the proxy: the scheme of its URL.
type Form string

// The values of Form.
const (
	FormPlain Form = "http"
	FormTLS   Form = "https"
	FormBoth  Form = "http+https" // each client as it begins
)

// HasTLS reports whether clients may speak TLS to the proxy.
func (f Form) HasTLS() bool { return f == FormTLS || f == FormBoth }

// TLS is the [tls] table: what the proxy shows to clients that speak TLS to it.
type TLS struct {
	CertFile, KeyFile string           // both or neither
	Certificate       *tls.Certificate // that is in them, nil for none
	// Names are those by which clients call the proxy, for which its own CA signs where
	// there is no Certificate.
	Names []string
}

// Upstream is the [upstream] table.
type Upstream struct {
	// ConnectTo redirects connections: "host:port" → "address:port". Hosts on
	// the left are in lower case.
	ConnectTo map[string]string
	// RootsPEM are the certificates of ca_file, nil without one.
	RootsPEM []byte
	// Proxy is another proxy through which everything is reached, nil for
	// none. It has a port, and may have a user and a password: print Redacted().
	Proxy *url.URL
	HTTP2 bool // speak HTTP/2 towards GitHub
}
