// Command go-tlog lets Go's own transparency-log packages judge what signing/merkle makes.
//
// It reads one JSON document on standard input, the log as a set of files (paths after C2SP tlog-tiles) and
// the claims to check, and answers with one JSON document on standard output. Every hash, signature and tile
// path is computed by golang.org/x/mod/sumdb/note and golang.org/x/mod/sumdb/tlog; nothing is computed here.
package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Request is what the Python side sends. Byte strings travel as base64.
type Request struct {
	Checkpoint   []byte            `json:"checkpoint"`
	VerifierKeys []string          `json:"verifier_keys"`
	Files        map[string][]byte `json:"files"`
	Entries      [][]byte          `json:"entries"`
	Inclusion    []Inclusion       `json:"inclusion"`
	Consistency  []Consistency     `json:"consistency"`
	Seed         string            `json:"seed"`
}

// Inclusion claims that a leaf stands at an index of a tree.
type Inclusion struct {
	Index int64    `json:"index"`
	Size  int64    `json:"size"`
	Root  []byte   `json:"root"`
	Leaf  []byte   `json:"leaf"`
	Proof [][]byte `json:"proof"`
}

// Consistency claims that one tree continues another.
type Consistency struct {
	OldSize int64    `json:"old_size"`
	OldRoot []byte   `json:"old_root"`
	NewSize int64    `json:"new_size"`
	NewRoot []byte   `json:"new_root"`
	Proof   [][]byte `json:"proof"`
}

// Answer holds one verdict per claim: empty where it holds, else Go's complaint.
type Answer struct {
	Signers     []string   `json:"signers"`
	Unknown     int        `json:"unknown"`
	Inclusion   []string   `json:"inclusion"`
	Consistency []string   `json:"consistency"`
	Tiles       []string   `json:"tiles"`
	TileProofs  [][][]byte `json:"tile_proofs"`
	Error       string     `json:"error"`
	GoNote      string     `json:"go_note"`
	GoKey       string     `json:"go_key"`
}

// files serves tiles to tlog.TileHashReader, which checks each of them against the signed root.
type files struct {
	byPath map[string][]byte
	asked  []string
}

func (f *files) Height() int { return 8 }

func (f *files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range tiles {
		path := c2spPath(tile)
		data, ok := f.byPath[path]
		if !ok {
			return nil, fmt.Errorf("no tile %s", path)
		}
		f.asked = append(f.asked, path)
		read = append(read, data)
	}
	return read, nil
}

func (f *files) SaveTiles([]tlog.Tile, [][]byte) {}

// c2spPath drops the tile height from Go's spelling, which C2SP fixes at 8.
func c2spPath(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
}

func main() {
	var request Request
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	answer := check(request)
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(request Request) Answer {
	var answer Answer
	for _, claim := range request.Inclusion {
		answer.Inclusion = append(answer.Inclusion, complaint(checkInclusion(claim)))
	}
	for _, claim := range request.Consistency {
		answer.Consistency = append(answer.Consistency, complaint(checkConsistency(claim)))
	}
	if len(request.Checkpoint) > 0 {
		answer.Error = complaint(checkLog(request, &answer))
	}
	if request.Seed != "" {
		answer.Error = complaint(signByGo(request.Seed, &answer))
	}
	return answer
}

func checkInclusion(claim Inclusion) error {
	proof, err := hashes(claim.Proof)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(tlog.RecordProof(proof), claim.Size, hash(claim.Root), claim.Index, hash(claim.Leaf))
}

func checkConsistency(claim Consistency) error {
	proof, err := hashes(claim.Proof)
	if err != nil {
		return err
	}
	tree := tlog.TreeProof(proof)
	return tlog.CheckTree(tree, claim.NewSize, hash(claim.NewRoot), claim.OldSize, hash(claim.OldRoot))
}

// checkLog opens the checkpoint, reads a proof for every entry out of the tiles, and rebuilds the tiles.
func checkLog(request Request, answer *Answer) error {
	var verifiers []note.Verifier
	for _, key := range request.VerifierKeys {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return err
		}
		verifiers = append(verifiers, verifier)
	}
	opened, err := note.Open(request.Checkpoint, note.VerifierList(verifiers...))
	if err != nil {
		return err
	}
	for _, signature := range opened.Sigs {
		answer.Signers = append(answer.Signers, signature.Name)
	}
	answer.Unknown = len(opened.UnverifiedSigs)
	tree, err := parseTree(opened.Text)
	if err != nil {
		return err
	}
	return checkEntries(request, tree, answer)
}

func parseTree(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return tlog.Tree{}, errors.New("checkpoint has fewer than three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: hash(root)}, nil
}

func checkEntries(request Request, tree tlog.Tree, answer *Answer) error {
	source := &files{byPath: request.Files}
	reader := tlog.TileHashReader(tree, source)
	for index, entry := range request.Entries {
		leaf := tlog.RecordHash(entry)
		proof, err := tlog.ProveRecord(tree.N, int64(index), reader)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), leaf); err != nil {
			return err
		}
		answer.TileProofs = append(answer.TileProofs, raw(proof))
	}
	for _, tile := range tlog.NewTiles(8, 0, tree.N) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return err
		}
		if string(data) != string(request.Files[c2spPath(tile)]) {
			return fmt.Errorf("tile %s differs", c2spPath(tile))
		}
		answer.Tiles = append(answer.Tiles, c2spPath(tile))
	}
	return nil
}

// signByGo makes a key and signs a note with it, for the Python side to verify.
func signByGo(name string, answer *Answer) error {
	private, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	tree := tlog.Tree{N: 7, Hash: tlog.RecordHash([]byte("x"))}
	text := fmt.Sprintf("%s\n%d\n%s\n", name, tree.N, base64.StdEncoding.EncodeToString(tree.Hash[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	answer.GoNote, answer.GoKey = string(signed), public
	return err
}

func hashes(values [][]byte) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, value := range values {
		if len(value) != tlog.HashSize {
			return nil, errors.New("hash of wrong length")
		}
		all = append(all, hash(value))
	}
	return all, nil
}

func hash(value []byte) (h tlog.Hash) {
	copy(h[:], value)
	return h
}

func raw(proof tlog.RecordProof) [][]byte {
	all := make([][]byte, 0, len(proof))
	for _, each := range proof {
		all = append(all, append([]byte(nil), each[:]...))
	}
	return all
}

func complaint(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
