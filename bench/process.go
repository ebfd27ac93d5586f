package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that is measured, with all of its own.
type process struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	ended  chan struct{}
}

// startProcess starts a command. Whoever starts it stops it.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stdout, cmd.Stderr = &p.output, &p.output
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process, and kills it where it does not.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// ids are the process and its descendants.
func (p *process) ids() []int {
	children := make(map[int][]int) // parent → children
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		if stat, err := readStat(file); err == nil {
			children[stat.parent] = append(children[stat.parent], stat.id)
		}
	}
	ids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(ids); i++ {
		ids = append(ids, children[ids[i]]...)
	}
	return ids
}

// cpu is the CPU time that the process and its descendants have used, in seconds.
func (p *process) cpu() (seconds float64, err error) {
	for _, id := range p.ids() {
		stat, err := readStat(fmt.Sprintf("/proc/%d/stat", id))
		if err != nil {
			return 0, err
		}
		seconds += stat.seconds
	}
	return seconds, nil
}

// memory is the proportional set size of the process and its descendants, in bytes.
func (p *process) memory() (bytes int64, err error) {
	for _, id := range p.ids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", id))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if size, ok := strings.CutPrefix(line, "Pss:"); ok {
				kilobytes, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
				if err != nil {
					return 0, err
				}
				bytes += kilobytes << 10
			}
		}
	}
	return bytes, nil
}

// stat is what is needed of /proc/PID/stat: see proc_pid_stat(5).
type stat struct {
	id, parent int
	seconds    float64
}

// ticks are in a second: USER_HZ, which is the same on all that Go runs on.
const ticks = 100

func readStat(file string) (s stat, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	id, rest, ok := strings.Cut(string(text), " (")
	end := strings.LastIndexByte(rest, ')') // the name may have any characters
	if !ok || end < 0 {
		return s, fmt.Errorf("%s is not understood", file)
	}
	fields := strings.Fields(rest[end+1:])
	if len(fields) < 13 {
		return s, fmt.Errorf("%s is too short", file)
	}
	var errs [4]error
	var user, system int
	s.id, errs[0] = strconv.Atoi(id)
	s.parent, errs[1] = strconv.Atoi(fields[1])
	user, errs[2] = strconv.Atoi(fields[11])
	system, errs[3] = strconv.Atoi(fields[12])
	s.seconds = float64(user+system) / ticks
	return s, errors.Join(errs[:]...)
}
