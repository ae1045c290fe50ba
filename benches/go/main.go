// The rows with two workers, as far as a translation to Go makes sense.
//
// It is a child of the harness and talks as the others do: `go-rows measure ROW go SIZE` prints
// "ready" and answers each line "round" with the figures of a round; `go-rows serve SERVICE go workers`
// prints an address and answers each line "cpu" with the nanoseconds of processor time it has used.
// Both end when standard input ends. A task is a goroutine, a oneshot is a channel that holds one
// value, and to await a task is to receive what it sends.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type sample []float64

// One round; the argument divides the number of operations.
var rows = map[string]func(quick int) sample{
	"mt_spawn_from_task":     timed(200_000, spawn),
	"mt_spawn_and_join":      timed(200_000, spawnAndJoin),
	"mt_chained_spawn":       timed(200_000, chained),
	"mt_ping_pong":           timed(100_000, pingPong),
	"mt_spawn_100_and_await": timed(4_000, spawn100),
	"mt_yield_200x1000":      timed(800_000, yieldsOf200),
	"mt_yield_alone":         timed(200_000, yields),
	"mt_imbalance":           timed(80_000, imbalance),
	"mt_skynet":              func(int) sample { return stopwatch(1, skynetOfAMillion) },
	"mt_sleep_lateness":      func(quick int) sample { return lateness(400 / quick) },
	"mt_hogs_sleep":          sleepBesideHogs,
}

func main() {
	if len(os.Args) != 5 {
		fail("usage: go-rows measure ROW go SIZE | go-rows serve SERVICE go workers")
	}
	switch os.Args[1] {
	case "measure":
		measure(os.Args[2], os.Args[4])
	case "serve":
		serve(os.Args[2])
	default:
		fail("neither measure nor serve")
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "go-rows:", why)
	os.Exit(1)
}

func measure(name, size string) {
	row, known := rows[name]
	if !known {
		fail("no row is called " + name)
	}
	quick := 1
	if size == "quick" {
		quick = 4
	}
	answer("ready", "round", func() string {
		text := ""
		for _, figure := range row(quick) {
			text += fmt.Sprintf("%g ", figure)
		}
		return text
	})
}

// Says the first line, and answers every question until the parent goes.
func answer(first, question string, reply func() string) {
	fmt.Println(first)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == question {
			fmt.Println(reply())
		}
	}
}

func processCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err.Error())
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Wall and processor time of each of n operations.
func stopwatch(n int, work func()) sample {
	cpu, start := processCPU(), time.Now()
	work()
	wall := time.Since(start)
	cpu = processCPU() - cpu
	return sample{float64(wall) / float64(n), float64(cpu) / float64(n)}
}

// Once shortened to warm up, and once timed.
func timed(full int, operation func(n int)) func(int) sample {
	return func(quick int) sample {
		n := full / quick
		operation(n/4 + 1)
		return stopwatch(n, func() { operation(n) })
	}
}

// Calls batch with at most so many, n in all.
func inBatches(n, most int, batch func(n int)) {
	for left := n; left > 0; left -= most {
		batch(min(left, most))
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

// Runs work in so many goroutines and waits for all of them.
func all(tasks int, work func()) {
	var done sync.WaitGroup
	done.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			work()
			done.Done()
		}()
	}
	done.Wait()
}

func spawn(n int) {
	inBatches(n, 10_000, func(batch int) { all(batch, func() {}) })
}

func spawnAndJoin(n int) {
	for i := 0; i < n; i++ {
		output := make(chan int, 1)
		go func() { output <- i }()
		<-output
	}
}

func chained(n int) {
	inBatches(n, 1_000, func(batch int) {
		done := make(chan struct{})
		hop(batch, done)
		<-done
	})
}

func hop(left int, done chan<- struct{}) {
	go func() {
		if left <= 1 {
			done <- struct{}{}
		} else {
			hop(left-1, done)
		}
	}()
}

func pingPong(n int) {
	inBatches(n, 1_000, func(batch int) {
		all(batch, func() {
			ping, pong := make(chan int, 1), make(chan int, 1)
			go func() { pong <- <-ping }()
			ping <- 1
			<-pong
		})
	})
}

func spawn100(n int) {
	var outputs [100]chan int
	for i := 0; i < n; i++ {
		for j := range outputs {
			output := make(chan int, 1)
			outputs[j] = output
			go func() { output <- 1 }()
		}
		for _, output := range outputs {
			<-output
		}
	}
}

func yields(n int) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
}

func yieldsOf200(n int) {
	all(200, func() { yields(n / 200) })
}

// Keeps a processor busy for so long.
func compute(duration time.Duration) {
	for start := time.Now(); time.Since(start) < duration; {
	}
}

func imbalance(n int) {
	inBatches(n, 20_000, func(batch int) {
		all(batch, func() { compute(2 * time.Microsecond) })
	})
}

func skynetOfAMillion() {
	const leaves = 1_000_000
	output := make(chan int, 1)
	go skynet(output, 0, leaves)
	if sum := <-output; sum != leaves*(leaves-1)/2 {
		fail(fmt.Sprint("the tree's sum is ", sum))
	}
}

func skynet(output chan<- int, first, size int) {
	if size == 1 {
		output <- first
		return
	}
	parts := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go skynet(parts, first+i*size/10, size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-parts
	}
	output <- sum
}

// Median and tail of how late a sleep of a millisecond ends, and the processor time of each.
func lateness(times int) sample {
	time.Sleep(time.Millisecond)
	cpu := processCPU()
	late := make([]float64, times)
	for i := range late {
		start := time.Now()
		time.Sleep(time.Millisecond)
		late[i] = float64(time.Since(start) - time.Millisecond)
	}
	cpu = processCPU() - cpu
	sort.Float64s(late)
	return sample{quantile(late, 0.5), quantile(late, 0.99), float64(cpu) / float64(times)}
}

func quantile(sorted []float64, q float64) float64 {
	position := q * float64(len(sorted)-1)
	below := int(position)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (sorted[above]-sorted[below])*(position-float64(below))
}

// Starts eight goroutines that compute for 100 µs and yield; the function returned ends them.
func hogs() func() {
	var stop int32
	var ended sync.WaitGroup
	ended.Add(8)
	for i := 0; i < 8; i++ {
		go func() {
			for atomic.LoadInt32(&stop) == 0 {
				compute(100 * time.Microsecond)
				runtime.Gosched()
			}
			ended.Done()
		}()
	}
	return func() {
		atomic.StoreInt32(&stop, 1)
		ended.Wait()
	}
}

func sleepBesideHogs(quick int) sample {
	end := hogs()
	defer end()
	return lateness(400 / quick)
}

func serve(service string) {
	raiseFileLimit()
	if service == "idle" {
		idle()
		return
	}
	if service == "echo-beside-hogs" {
		hogs()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				fail(err.Error())
			}
			go echo(connection)
		}
	}()
	control(listener.Addr().String())
}

// Sends back what it reads until the other side ends; Go sets TCP_NODELAY itself.
func echo(connection net.Conn) {
	buffer := make([]byte, 1024)
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Waits for a thousand sockets and a thousand timers, none of which ever come.
func idle() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err.Error())
	}
	for i := 0; i < 500; i++ {
		near, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			fail(err.Error())
		}
		far, err := listener.Accept()
		if err != nil {
			fail(err.Error())
		}
		go echo(near)
		go echo(far)
	}
	for i := 0; i < 1_000; i++ {
		go time.Sleep(time.Hour)
	}
	// Each has run once when all of those that were started before it have.
	runtime.Gosched()
	control("idle")
}

func control(first string) {
	answer(first, "cpu", func() string { return fmt.Sprint(processCPU().Nanoseconds()) })
}

func raiseFileLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		// Whoever opens a file too many says so.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
