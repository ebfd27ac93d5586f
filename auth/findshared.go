package auth

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ghapp-proxy/github"
)

// foundText is the encoding of what GitHub said for other replicas.
type foundText struct {
	Installation github.InstallationID `json:",omitempty"` // 0 for none
	All, Cut     bool                  `json:",omitempty"`
	Login        string                `json:",omitempty"`
	Named        github.Account        `json:",omitzero"`
	Asked        time.Time             // by GitHub's clock
}

// sharedFind is what the answer about an owner, or "*", is shared under.
func (d *directory) sharedFind(key string) string { return d.vault.key("find", key) }

// accountsKey is that of a walk through the installations. What it comes to is remembered for each
// account.
const accountsKey = "*accounts" // no owner's key

// askForAll asks a question once for all replicas, or takes the answer that one of them has got.
func (d *directory) askForAll(ctx context.Context, key, flight string, question func(context.Context) (found, error)) (f found, err error) {
	if key == accountsKey {
		return d.answerTo(ctx, key, flight, question)
	}
	wrong, _ := d.known.get(key) // else it would be remembered
	used, file := d.vault.claim(ctx, d.sharedFind(key), wrong.generation, func(generation uint64, text []byte) (ok bool) {
		if refused, ttl := d.refusalIn(text); refused != nil {
			d.remember(flight, refused, ttl)
			err = refused
			return true
		}
		f, ok = d.takeFound(key, generation, text)
		return ok
	})
	if used {
		return f, err
	}
	var made filed
	defer func() { file(made) }() // also where there is a fault
	if f, err = d.answerTo(ctx, key, flight, question); err != nil {
		made = d.refusalFor(err)
	} else if !f.filed {
		made = d.foundFiled(f)
	}
	return f, err
}

// recall returns what another replica has asked about an account, of which this one knows nothing.
func (d *directory) recall(ctx context.Context, key string) (f found, ok bool) {
	if !d.vault.isOpen() {
		return found{}, false
	}
	f, err := once(WithBudget(ctx, nil), d.flights, "recall|"+d.prefix+key, func(ctx context.Context) (f found, _ error) {
		generation, text, ok := d.vault.get(ctx, d.sharedFind(key))
		if wrong, known := d.known.get(key); !ok || known && wrong.generation == generation {
			return found{}, nil
		}
		f, _ = d.takeFound(key, generation, text)
		return f, nil
	})
	return f, err == nil && f.generation != 0
}

// learnForAll is learn for other replicas as well.
func (d *directory) learnForAll(key string, f found) {
	f.generation = newGeneration()
	d.learn(key, f)
	if d.vault.isOpen() {
		d.vault.put(d.sharedFind(key), d.foundFiled(f))
	}
}

// forget drops what is remembered, here and for other replicas: it was wrong.
func (d *directory) forget(key string) {
	if f, ok := d.known.get(key); ok && f.generation != 0 && d.vault.isOpen() {
		d.vault.Delete(d.sharedFind(key), f.generation)
	}
	d.known.delete(key)
}

// foundFiled is what is filed for other replicas.
func (d *directory) foundFiled(f found) filed {
	t := foundText{All: f.all, Cut: f.cut, Login: f.login, Named: f.named, Asked: f.asked.Round(0).Add(d.clock.skew())}
	if f.inst != nil {
		t.Installation = f.inst.id
	}
	text, err := json.Marshal(t)
	if err != nil {
		return filed{}
	}
	return filed{f.generation, append([]byte{isAnswer}, text...), f.ttl()}
}

// takeFound takes in what another replica has filed. It is not ok if that is of no use: GitHub has said
// since that it does not know the installation.
func (d *directory) takeFound(key string, generation uint64, text []byte) (f found, ok bool) {
	var t foundText
	if len(text) == 0 || text[0] != isAnswer || json.Unmarshal(text[1:], &t) != nil || t.Installation < 0 || strings.ContainsAny(t.Login, "\r\n") {
		return found{}, false
	}
	f = found{generation: generation, all: t.All, cut: t.Cut, login: t.Login, named: t.Named}
	if t.Installation != 0 {
		f.inst = d.newDiscovered(t.Installation)
		f.asked, f.used = t.Asked.Add(-d.clock.skew()), time.Now()
		if f.inst.reappeared {
			return found{}, false
		}
	}
	d.learn(key, f)
	return f, true
}

// answerTo asks a question, and remembers the answer.
func (d *directory) answerTo(ctx context.Context, key, flight string, question func(context.Context) (found, error)) (found, error) {
	f, err := question(ctx)
	if err != nil {
		d.rememberRefusal(flight, err)
		if isOfApp(err) { // another App may answer, and nobody would know
			d.log.Warn("GitHub does not say where an App is installed", "app", d.Name, "error", err)
		}
		return found{}, err
	}
	if !f.filed {
		f.generation = newGeneration()
		d.learn(key, f)
	}
	return f, nil
}
