// Package qr draws QR codes (ISO/IEC 18004), as pixels and as lines. It knows nothing of
// whose text they hold.
package qr

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strconv"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"sello/loyalty"
)

// Format is what a picture is made of.
type Format string

// The formats.
const (
	PNG Format = "png"
	SVG Format = "svg"
)

// MediaType is the format's name in HTTP.
func (f Format) MediaType() string {
	if f == SVG {
		return "image/svg+xml"
	}
	return "image/png"
}

// Bounds of a picture's side, in pixels.
const (
	MinSize     = 64
	MaxSize     = 2048
	DefaultSize = 256
)

// quiet is the empty margin that readers need around the code, in modules.
const quiet = 4

// level restores up to 15 % of a code that is dirty or torn.
const level = qr.M

// Draw draws a square picture of a text: of about so many pixels a side in PNG, as each
// module has a whole number of them, and exactly so many in SVG, which has no pixels.
// It refuses with INVALID (format; size: MinSize to MaxSize) and TOO_LONG (text).
func Draw(text string, format Format, size int) ([]byte, error) {
	if format != PNG && format != SVG {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "format")
	}
	if size < MinSize || size > MaxSize {
		return nil, loyalty.Refuse(loyalty.CodeInvalid, "size")
	}
	code, err := qr.Encode(text, level, qr.Auto)
	if err != nil {
		return nil, loyalty.Refuse(loyalty.CodeTooLong, "text")
	}
	if format == SVG {
		return svg(code, size), nil
	}
	return pixels(code, size)
}

// dark reports whether a module of the code is.
func dark(code barcode.Barcode, x, y int) bool { return code.At(x, y) == color.Black }

// svg draws each row's runs of dark modules as one path.
func svg(code barcode.Barcode, size int) []byte {
	modules := code.Bounds().Dx()
	side := modules + 2*quiet
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`,
		size, size, side, side, side, side)
	for y := range modules {
		for x := 0; x < modules; x++ {
			run := 0
			for x+run < modules && dark(code, x+run, y) {
				run++
			}
			if run == 0 {
				continue
			}
			b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h" + strconv.Itoa(run) + "v1h-" + strconv.Itoa(run) + "z")
			x += run
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes()
}

// pixels draws black and white ones, a bit each.
func pixels(code barcode.Barcode, size int) ([]byte, error) {
	modules := code.Bounds().Dx()
	each := max(1, size/(modules+2*quiet))
	side := (modules + 2*quiet) * each
	picture := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y := range modules * each {
		for x := range modules * each {
			if dark(code, x/each, y/each) {
				picture.SetColorIndex(x+quiet*each, y+quiet*each, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return nil, fmt.Errorf("encode a picture: %w", err)
	}
	return b.Bytes(), nil
}
