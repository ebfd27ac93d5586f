package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"ghapp-proxy/auth"
	"ghapp-proxy/certs"
	"ghapp-proxy/config"
)

// examine says what keeps `serve` from working with a configuration that has no
// faults in itself; `check` and `serve` both ask it. GitHub is not asked, and
// nothing is written.
func examine(ctx context.Context, cfg *config.Config) error {
	return errors.Join(
		checkExposure(cfg, "listen", cfg.Listen, config.IsLoopback(cfg.Listen)),
		checkLed(cfg, cfg.Transparent.Listen),
		examineAudit(cfg.AuditLog),
		examineAuthorities(cfg),
		examineSigners(ctx, cfg.Apps),
	)
}

// examineAudit says why the audit log cannot be opened, or made.
func examineAudit(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		dir := filepath.Dir(path)
		if info, err = os.Stat(dir); err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no directory", dir)
		}
		if err == nil {
			err = mayWriteIn(dir)
		}
	case err == nil && info.Mode().IsRegular():
		var file *os.File
		if file, err = os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			return file.Close()
		}
	case err == nil && info.IsDir():
		err = fmt.Errorf("%s is a directory", path)
	}
	return auditError(err)
}

// examineAuthorities says which of the CAs that there are cannot be used.
func examineAuthorities(cfg *config.Config) error {
	_, err := existingAuthorities(cfg)
	return err
}

// existingAuthorities reads the CAs that there are; missing ones will be made.
func existingAuthorities(cfg *config.Config) (list []*certs.CA, failed error) {
	if cfg.CA.CertFile == "" {
		if _, err := os.Stat(caDir(cfg)); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	for _, spec := range specs(cfg) {
		if _, err := os.Stat(filepath.Join(caDir(cfg), spec.Instance+".key")); cfg.CA.CertFile == "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		cas, err := onDisk(cfg)(spec)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		list = append(list, cas...)
	}
	return list, failed
}

// examineSigners has the keys of all Apps sign at the same time: a command may be
// slow, but must not fail.
func examineSigners(ctx context.Context, apps []*auth.App) error {
	failed := make([]error, len(apps))
	var signing sync.WaitGroup
	for i, app := range apps {
		signing.Go(func() { failed[i] = app.TryKeys(ctx) })
	}
	signing.Wait()
	return errors.Join(failed...)
}
