package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build gives the program of the working tree: $BIN, or one that it builds in a
// folder.
func Build(ctx context.Context, dir string) (string, error) {
	if bin := os.Getenv("BIN"); bin != "" {
		return bin, nil
	}
	return build(ctx, "..", filepath.Join(dir, "pincall"))
}

// BuildOld builds the program of an earlier revision, as git names it, in a folder.
func BuildOld(ctx context.Context, revision, dir string) (bin string, err error) {
	tree := filepath.Join(dir, "tree")
	if out, err := exec.CommandContext(ctx, "git", "worktree", "add", "--detach", tree, revision).CombinedOutput(); err != nil {
		return "", fmt.Errorf("git worktree: %w: %s", err, out)
	}
	defer func() {
		err = errors.Join(err, exec.CommandContext(context.WithoutCancel(ctx), "git", "worktree", "remove", "--force", tree).Run())
	}()
	return build(ctx, tree, filepath.Join(dir, "pincall-old"))
}

func build(ctx context.Context, tree, bin string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "./cmd/pincall")
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return bin, nil
}
