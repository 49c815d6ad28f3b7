package qr_test

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sello/loyalty"
	"sello/loyalty/qr"
)

// draw is a code's modules, dark or not, as one of the formats shows them: with the
// quiet zone around.
func draw(t *testing.T, text string, format qr.Format, size int) [][]bool {
	t.Helper()
	picture, err := qr.Draw(text, format, size)
	if err != nil {
		t.Fatal(err)
	}
	if format == qr.PNG {
		return fromPNG(t, picture, size)
	}
	return fromSVG(t, picture, size)
}

func fromPNG(t *testing.T, picture []byte, size int) [][]bool {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	side := decoded.Bounds().Dx()
	if side != decoded.Bounds().Dy() || side > size && size >= 64 {
		t.Fatalf("PNG: got %v for a side of %d", decoded.Bounds(), size)
	}
	// A finder pattern begins behind the quiet zone of 4 modules: 7 dark ones.
	each := 0
	for x := range side {
		if !isDark(decoded, x, firstDark(decoded)) {
			if each > 0 {
				break
			}
			continue
		}
		each++
	}
	each /= 7
	modules := make([][]bool, side/each)
	for y := range modules {
		for x := range modules {
			modules[y] = append(modules[y], isDark(decoded, x*each, y*each))
		}
	}
	return modules
}

func isDark(picture image.Image, x, y int) bool {
	return color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y == 0
}

// firstDark is the first row with a dark pixel.
func firstDark(picture image.Image) int {
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			if isDark(picture, x, y) {
				return y
			}
		}
	}
	return 0
}

var run = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

func fromSVG(t *testing.T, picture []byte, size int) [][]bool {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(picture))
	for {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("SVG: %v", err)
		}
	}
	head := regexp.MustCompile(`width="(\d+)" height="(\d+)" viewBox="0 0 (\d+) (\d+)"`).FindSubmatch(picture)
	if head == nil || string(head[1]) != strconv.Itoa(size) || string(head[3]) != string(head[4]) {
		t.Fatalf("SVG: got %.200s", picture)
	}
	side, _ := strconv.Atoi(string(head[3]))
	modules := make([][]bool, side)
	for y := range modules {
		modules[y] = make([]bool, side)
	}
	for _, m := range run.FindAllSubmatch(picture, -1) {
		x, _ := strconv.Atoi(string(m[1]))
		y, _ := strconv.Atoi(string(m[2]))
		n, _ := strconv.Atoi(string(m[3]))
		for i := range n {
			modules[y][x+i] = true
		}
	}
	return modules
}

// TestDraw: both formats show the same code, with its finder patterns where readers look
// for them and nothing in the quiet zone.
func TestDraw(t *testing.T) {
	t.Parallel()
	finder := []string{"#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"}
	for _, text := range []string{"PRT-9f2c61d07b3e48aa", "x", strings.Repeat("ñ", 60)} {
		pixels := draw(t, text, qr.PNG, 512)
		for _, size := range []int{64, 256, 2048} {
			if len(draw(t, text, qr.SVG, size)) != len(pixels) {
				t.Fatalf("%s: formats have different sides", text)
			}
		}
		lines := draw(t, text, qr.SVG, 300)
		side := len(pixels)
		for y := range side {
			for x := range side {
				if pixels[y][x] != lines[y][x] {
					t.Fatalf("%s: PNG and SVG differ at %d, %d", text, x, y)
				}
				if dark := pixels[y][x]; dark && (x < 4 || y < 4 || x >= side-4 || y >= side-4) {
					t.Fatalf("%s: dark at %d, %d in the quiet zone", text, x, y)
				}
			}
		}
		for _, corner := range [][2]int{{4, 4}, {side - 11, 4}, {4, side - 11}} {
			for y, row := range finder {
				for x, module := range row {
					if pixels[corner[1]+y][corner[0]+x] != (module == '#') {
						t.Fatalf("%s: no finder pattern at %v", text, corner)
					}
				}
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		format qr.Format
		size   int
		want   loyalty.Code
	}{
		{"x", qr.PNG, 63, loyalty.CodeInvalid}, {"x", qr.SVG, 2049, loyalty.CodeInvalid}, {"x", "gif", 256, loyalty.CodeInvalid},
		{strings.Repeat("x", 5000), qr.PNG, 256, loyalty.CodeTooLong},
	} {
		if _, err := qr.Draw(tt.text, tt.format, tt.size); loyalty.CodeOf(err) != tt.want {
			t.Errorf("Draw of %d characters, %s, %d: got %v, want %s", len(tt.text), tt.format, tt.size, err, tt.want)
		}
	}
}
