package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/sluicehq/sluice/bench/internal/load"
)

// takeProfile profiles Sluice under plain calls and shows the ten functions that cost most.
func (s *stage) takeProfile(ctx context.Context) error {
	pprof, err := freeAddr()
	if err != nil {
		return err
	}
	v := s.targets[0]
	if err := s.startSluice(ctx, v, "SLUICE_DEBUG_PPROF="+pprof); err != nil {
		return err
	}
	profile := make(chan error, 1)
	go func() {
		text, err := fetch(ctx, "http://"+pprof+"/debug/pprof/profile?seconds=8")
		if err == nil {
			err = os.WriteFile(s.options.profile, text, 0o644)
		}
		profile <- err
	}()
	w := &load.Workload{Name: "chat 1 KB", Conns: 64, Prompt: 1 << 10, Seconds: 8, Warmup: 1}
	got, err := load.Run(&load.Target{Name: v.name, URL: v.url, Pids: v.pids()}, w)
	if err != nil {
		return err
	}
	fmt.Fprint(os.Stderr, got.Line())
	if err := <-profile; err != nil {
		return err
	}
	for _, order := range []string{"-flat", "-cum"} {
		cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=10", order, s.options.profile)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	fmt.Println("the whole profile:", s.options.profile)
	return nil
}
