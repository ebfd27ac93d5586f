package certs_test

import (
	"crypto/tls"
	"fmt"

	"ghapp-proxy/certs"
)

func Example() {
	ca, err := certs.New(certs.Spec{
		Instance: "github.com",
		Hosts:    []string{"github.com", "api.github.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	config := &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return ca.Certificate(hello.ServerName)
		},
	}
	leaf, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "api.github.com"})
	fmt.Println(leaf.Leaf.DNSNames, err)
	_, err = config.GetCertificate(&tls.ClientHelloInfo{ServerName: "example.com"})
	fmt.Println(err)
	// Output:
	// [api.github.com] <nil>
	// sign certificate: "example.com" is not a served host of github.com
}
