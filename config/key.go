package config

import (
	"fmt"
	"slices"

	"ghapp-proxy/auth"
)

// maxKeys bounds the keys of an App. GitHub is asked with each in turn if need
// be, and locks out who fails to log in too often.
const maxKeys = 4

// signers reads what an App's JWTs are signed with, the newest first.
func (l *loader) signers(t *table) []auth.Signer {
	sources := []string{"private_key_file", "private_key_env", "private_key_command", "signer_command"}
	switch key := t.oneOf(sources...); key {
	case "":
		if !slices.ContainsFunc(sources, t.has) {
			t.fault("", withHint("give private_key_file, private_key_env, private_key_command or signer_command", "the private key is missing"))
		}
		return nil
	case "private_key_file":
		return l.keyFiles(t, key)
	case "signer_command":
		return l.commandSigner(t, key)
	default:
		return l.keyText(t, key)
	}
}

// keyFiles reads the keys of one or more files.
func (l *loader) keyFiles(t *table, key string) (signers []auth.Signer) {
	paths, ok := t.files(key)
	if !ok || l.src.NoSecrets {
		return nil
	}
	if len(paths) > maxKeys {
		t.fault(key, withHint("keep the newest, and those that GitHub still knows", "more than %d keys", maxKeys))
		return nil
	}
	for _, path := range paths {
		file, err := openKeyFile(l.src.Reading, path, func(w error) { t.warn(key, w) }, l.log)
		if err != nil {
			t.fault(key, pathError(path, appKey, err))
			continue
		}
		signers = append(signers, file)
	}
	return signers
}

// keyText reads the key that a variable holds or a command prints.
func (l *loader) keyText(t *table, key string) []auth.Signer {
	text, key, origin := l.secretAt(t, key)
	if key == "" {
		return nil
	}
	private, err := auth.ParseKey(text)
	if err != nil {
		t.fault(key, fmt.Errorf("%s: %w", origin, err))
		return nil
	}
	return []auth.Signer{auth.NewKey(private)}
}

// commandSigner reads a command that signs. It is not run yet.
func (l *loader) commandSigner(t *table, key string) []auth.Signer {
	argv, ok := t.argv(key)
	if !ok || l.src.NoSecrets || !l.mayRun(t, key, argv) {
		return nil
	}
	if err := checkCommand(argv, t.doc.dir); err != nil {
		t.fault(key, fmt.Errorf("%s: %w", commandName(argv), err))
	}
	signer := &commandSigner{argv: argv, dir: t.doc.dir}
	l.commands = append(l.commands, signer)
	return []auth.Signer{signer}
}
