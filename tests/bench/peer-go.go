// peer-go WHAT N - what goroutines take on one processor: prints the nanoseconds of one operation.
// SPDX-License-Identifier: LGPL-2.1-or-later
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func yield(n int) int {
	var all sync.WaitGroup
	all.Add(2)
	go func() {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
		all.Done()
	}()
	go func() {
		for left := n; left > 0; left-- {
			runtime.Gosched()
		}
		all.Done()
	}()
	all.Wait()
	return 2 * n
}

func spawn(n, atOnce int) int {
	for i := 0; i < n; i++ {
		var all sync.WaitGroup
		all.Add(atOnce)
		for j := 0; j < atOnce; j++ {
			go all.Done()
		}
		all.Wait()
	}
	return n * atOnce
}

func channel(n int) int {
	there, back := make(chan int), make(chan int)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	for i := 0; i < n; i++ {
		there <- i
		<-back
	}
	return n
}

func main() {
	runtime.GOMAXPROCS(1)
	n, _ := strconv.Atoi(os.Args[2])
	started := time.Now()
	switch os.Args[1] {
	case "yield":
		n = yield(n)
	case "spawn":
		n = spawn(n, 1)
	case "spawn-1000":
		n = spawn(n, 1000)
	case "channel":
		n = channel(n)
	}
	fmt.Println(float64(time.Since(started).Nanoseconds()) / float64(n))
}
