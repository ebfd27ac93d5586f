// Program ghinstallation authenticates as an App with a key that no App has, as
// the story of its name tells. It is a module of its own: nothing else needs
// the library.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v88/github"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})
	for _, program := range []struct {
		app, installation int64
		paths             []string
	}{
		{12345, 111, []string{"/repos/acme/rockets"}},
		{67890, 222, []string{"/installation/repositories"}},
	} {
		who := fmt.Sprintf("%d %d ", program.app, program.installation)
		app, err := ghinstallation.NewAppsTransport(http.DefaultTransport, program.app, key)
		if err != nil {
			return err
		}
		if err := get(app, who, "/app"); err != nil {
			return err
		}
		for _, path := range program.paths {
			if err := get(ghinstallation.NewFromAppsTransport(app, program.installation), who, path); err != nil {
				return err
			}
		}
		if program.app == 12345 {
			narrowed := ghinstallation.NewFromAppsTransport(app, program.installation)
			narrowed.InstallationTokenOptions = &github.InstallationTokenOptions{Repositories: []string{"widgets"}}
			for _, path := range []string{"/repos/acme/widgets", "/repos/acme/rockets"} {
				if err := get(narrowed, who+"narrowed to widgets: ", path); err != nil {
					return err
				}
			}
		}
	}
	wrong, err := ghinstallation.New(http.DefaultTransport, 12345, 999, key)
	if err != nil {
		return err
	}
	var refused *ghinstallation.HTTPError
	if err := get(wrong, "", "/repos/acme/widgets"); !errors.As(err, &refused) {
		return fmt.Errorf("an installation that does not exist: %w", err)
	}
	fmt.Println("12345 999:", refused.Message)
	return nil
}

// get prints the status of a request.
func get(transport http.RoundTripper, who, path string) error {
	client := http.Client{Transport: transport}
	resp, err := client.Get("https://api.github.com" + path)
	if err != nil {
		return err
	}
	resp.Body.Close()
	fmt.Printf("%sGET %s: %d\n", who, path, resp.StatusCode)
	return nil
}
