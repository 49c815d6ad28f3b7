package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc, the same on every Linux that Go knows.
const tick = 10 * time.Millisecond

// Usage is what a process used. Where there is no /proc it is zero.
type Usage struct {
	// CPU is its user and system time.
	CPU time.Duration `json:"cpu_ns"`
	// PeakRSS is the most memory it held, in bytes.
	PeakRSS int64 `json:"peak_rss_bytes"`
	// RSS is the memory it holds now, in bytes; in a Window, before the measurement.
	RSS int64 `json:"rss_bytes"`
}

func (u Usage) String() string {
	return fmt.Sprintf("%.2f s CPU, %.0f MiB at most", u.CPU.Seconds(), float64(u.PeakRSS)/(1<<20))
}

func (u Usage) since(before Usage) Usage {
	return Usage{CPU: u.CPU - before.CPU, PeakRSS: u.PeakRSS, RSS: before.RSS}
}

func processUsage(pid int) Usage {
	stat, ok := readStat(pid)
	if !ok {
		return Usage{}
	}
	u := Usage{CPU: stat.own}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u
	}
	for line := range bytes.Lines(status) {
		for name, into := range map[string]*int64{"VmHWM:": &u.PeakRSS, "VmRSS:": &u.RSS} {
			if value, found := strings.CutPrefix(string(line), name); found {
				if kilobytes, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64); err == nil {
					*into = kilobytes << 10
				}
			}
		}
	}
	return u
}

// databaseCPU is the time of a PostgreSQL server and its backends, those that
// have ended included.
func databaseCPU(postmaster int) time.Duration {
	server, ok := readStat(postmaster)
	if !ok {
		return 0
	}
	sum := server.own + server.children
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // fails on a bad pattern only
	for _, path := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if backend, ok := readStat(pid); ok && backend.parent == postmaster {
			sum += backend.own
		}
	}
	return sum
}

// stat is what we use of /proc/<pid>/stat: children are those that have ended.
type stat struct {
	parent        int
	own, children time.Duration
}

func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	// The program's name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return stat{}, false
	}
	numbers := make([]int64, 15)
	for i := 1; i < 15; i++ {
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil && (i == 1 || i > 10) {
			return stat{}, false
		}
	}
	return stat{
		parent: int(numbers[1]), own: time.Duration(numbers[11]+numbers[12]) * tick,
		children: time.Duration(numbers[13]+numbers[14]) * tick,
	}, true
}

// busy is the time that all cores together have worked since the machine started.
func busy() time.Duration {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return 0
	}
	var sum int64
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err == nil && i >= 1 && i <= 8 && i != 4 && i != 5 { // idle and iowait
			sum += n
		}
	}
	return time.Duration(sum) * tick
}

// window is a stretch of time in which the processes of one measurement are
// watched.
type window struct {
	begun     time.Time
	processes []*Process
	before    []Usage
	database  int
	dbBefore  time.Duration
	own       time.Duration
	busy      time.Duration
}

// Window is what was used in one measurement.
type Window struct {
	Took time.Duration `json:"took_ns"`
	// Processes are those of the program by name, Database all of PostgreSQL's.
	Processes map[string]Usage `json:"processes"`
	Database  time.Duration    `json:"database_cpu_ns"`
	// Harness is the harness's own CPU time.
	Harness time.Duration `json:"harness_cpu_ns"`
	// Foreign is the share of all cores that others took.
	Foreign float64 `json:"foreign_share"`
}

// openWindow starts a measurement; database is PostgreSQL's process id, 0 if it
// is not ours to watch.
func openWindow(database int, processes ...*Process) *window {
	w := &window{begun: time.Now(), database: database, own: processUsage(os.Getpid()).CPU, busy: busy()}
	w.dbBefore = databaseCPU(database)
	for _, p := range processes {
		w.join(p)
	}
	return w
}

// join watches one more process, from here on.
func (w *window) join(p *Process) {
	w.processes, w.before = append(w.processes, p), append(w.before, p.Usage())
}

func (w *window) close() Window {
	r := Window{Took: time.Since(w.begun), Processes: map[string]Usage{}}
	var ours time.Duration
	for i, p := range w.processes {
		used := p.Usage().since(w.before[i])
		sum := r.Processes[p.Name]
		r.Processes[p.Name] = Usage{CPU: sum.CPU + used.CPU, PeakRSS: max(sum.PeakRSS, used.PeakRSS), RSS: max(sum.RSS, used.RSS)}
		ours += used.CPU
	}
	r.Database = max(0, databaseCPU(w.database)-w.dbBefore)
	r.Harness = processUsage(os.Getpid()).CPU - w.own
	ours += r.Database + r.Harness
	if total := busy() - w.busy; total > 0 {
		r.Foreign = max(0, (total-ours).Seconds()/(r.Took.Seconds()*float64(runtime.NumCPU())))
	}
	return r
}
