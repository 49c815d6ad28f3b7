package graphiql

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// file is one file of the build as it is kept in the binary: plain, or packed
// with gzip where that saves space (console/graphiql/scripts/pack.mjs).
type file struct {
	bytes       []byte
	packed      bool
	size        int // unpacked, in bytes
	contentType string
	etag        string // without its quotes
	immutable   bool
}

// contentTypes are stated here rather than asked of the mime package, whose
// answers come from the machine's own tables. With nosniff a wrong one blocks
// the page.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".md":   "text/markdown; charset=utf-8",
	".svg":  "image/svg+xml",
	".ttf":  "font/ttf",
}

// loadFiles reads the build into a map from request path to file.
func loadFiles(build fs.FS) map[string]*file {
	files := make(map[string]*file)
	err := fs.WalkDir(build, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		f, err := loadFile(build, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		address := strings.TrimSuffix(strings.TrimPrefix(name, "dist/"), ".gz")
		if address == "index.html" {
			address = ""
		}
		files[Path+"/"+address] = f
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("graphiql: read the embedded build: %v", err))
	}
	if files[Path+"/"] == nil {
		panic("graphiql: the embedded build has no index.html")
	}
	return files
}

func loadFile(build fs.FS, name string) (*file, error) {
	content, err := fs.ReadFile(build, name)
	if err != nil {
		return nil, err
	}
	plainName, packed := strings.CutSuffix(name, ".gz")
	contentType, ok := contentTypes[path.Ext(plainName)]
	if !ok {
		return nil, fmt.Errorf("no content type for %q", path.Ext(plainName))
	}
	size := len(content)
	if packed {
		// A gzip file ends with the length of what it holds (RFC 1952, ISIZE).
		if size < 18 {
			return nil, io.ErrUnexpectedEOF
		}
		size = int(binary.LittleEndian.Uint32(content[size-4:]))
	}
	sum := sha256.Sum256(content)
	return &file{
		bytes:       content,
		packed:      packed,
		size:        size,
		contentType: contentType,
		etag:        hex.EncodeToString(sum[:12]),
		// The build puts a hash of the content into the names of this folder.
		immutable: strings.HasPrefix(name, "dist/assets/"),
	}, nil
}

// serve answers GET and HEAD. A packed file goes out as it is where the client
// takes gzip, and is unpacked on the way where it does not.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	if f.immutable {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "no-cache")
	}

	asPacked := false
	etag := f.etag
	if f.packed {
		header.Set("Vary", "Accept-Encoding")
		if asPacked = acceptsGzip(r.Header.Values("Accept-Encoding")); asPacked {
			etag += "-gzip" // two encodings are two representations (RFC 9110, 8.8.3)
		}
	}
	header.Set("ETag", strconv.Quote(etag))
	if matches(r.Header.Values("If-None-Match"), etag) {
		header.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}

	length := f.size
	if asPacked {
		header.Set("Content-Encoding", "gzip")
		length = len(f.bytes)
	}
	header.Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return
	}
	if !f.packed || asPacked {
		_, _ = w.Write(f.bytes) // a client that left is not our fault
		return
	}
	plain, err := gzip.NewReader(bytes.NewReader(f.bytes))
	if err != nil {
		panic(http.ErrAbortHandler) // the length is out already: cut, do not pretend
	}
	_, _ = io.Copy(w, plain)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip named wins over
// the star, and a quality of zero is a no.
func acceptsGzip(values []string) bool {
	star := false
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			coding, parameters, _ := strings.Cut(item, ";")
			wanted := !zeroQuality(parameters)
			switch strings.ToLower(strings.TrimSpace(coding)) {
			case "gzip", "x-gzip":
				return wanted
			case "*":
				star = wanted
			}
		}
	}
	return star
}

func zeroQuality(parameters string) bool {
	name, value, ok := strings.Cut(strings.TrimSpace(parameters), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	digits := strings.Trim(strings.TrimSpace(value), "0")
	return digits == "" || digits == "."
}

// matches compares weakly, as If-None-Match asks (RFC 9110, 13.1.2).
func matches(values []string, etag string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
			if item == "*" || item == strconv.Quote(etag) {
				return true
			}
		}
	}
	return false
}
