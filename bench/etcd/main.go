// Loads an etcd cluster as `drafty bench` loads one of drafty: so many loops over so many connections, each of which sends
// its next request when it has the answer to the last. Prints one JSON object with the same names.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const requestTimeout = 10 * time.Second

type figures struct {
	Workload string  `json:"workload"`
	Inflight int     `json:"inflight"`
	PerS     float64 `json:"per_s"`
	P50Ms    float64 `json:"p50_ms"`
	P99Ms    float64 `json:"p99_ms"`
	MaxMs    float64 `json:"max_ms"`
	Errors   int     `json:"errors"`
}

// What one loop has measured. Each has its own, so that none waits for another.
type tally struct {
	within      int
	errors      int
	latenciesMs []float64
}

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "client addresses, separated by commas")
	work := flag.String("work", "put", "put, get or preload")
	inflight := flag.Int("inflight", 1, "requests under way at once")
	connections := flag.Int("connections", 1, "they share so many")
	seconds := flag.Float64("seconds", 3, "how long is measured")
	warmUp := flag.Float64("warm-up", 1, "how long before that")
	keys := flag.Int("keys", 100000, "how many keys there are")
	valueBytes := flag.Int("value-bytes", 256, "the size of a value")
	flag.Parse()

	clients := make([]*clientv3.Client, *connections)
	for i := range clients {
		client, err := clientv3.New(clientv3.Config{
			Endpoints:   strings.Split(*endpoints, ","),
			DialTimeout: requestTimeout,
		})
		if err != nil {
			fail(err)
		}
		defer client.Close()
		clients[i] = client
	}
	value := strings.Repeat("x", *valueBytes)
	switch *work {
	case "preload":
		preload(clients, *inflight, *keys, value)
	case "put", "get":
		run(clients, *work, *inflight, *keys, value, duration(*warmUp), duration(*seconds))
	default:
		fail(fmt.Errorf("-work %s: give put, get or preload", *work))
	}
}

func run(clients []*clientv3.Client, work string, inflight, keys int, value string, warmUp, measured time.Duration) {
	from := time.Now().Add(warmUp)
	end := from.Add(measured)
	tallies := make([]tally, inflight)
	var group sync.WaitGroup
	for i := 0; i < inflight; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			loop(clients[i%len(clients)], work, keys, value, from, end, rand.New(rand.NewSource(int64(i))), &tallies[i])
		}(i)
	}
	group.Wait()
	result := figures{Workload: work, Inflight: inflight}
	within := 0
	var all []float64
	for _, t := range tallies {
		within += t.within
		result.Errors += t.errors
		all = append(all, t.latenciesMs...)
	}
	if len(all) == 0 {
		fail(fmt.Errorf("no %s was answered", work))
	}
	sort.Float64s(all)
	result.PerS = float64(within) / measured.Seconds()
	result.P50Ms = all[(len(all)-1)/2]
	result.P99Ms = all[(len(all)-1)*99/100]
	result.MaxMs = all[len(all)-1]
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func loop(client *clientv3.Client, work string, keys int, value string, from, end time.Time, random *rand.Rand, t *tally) {
	for began := time.Now(); began.Before(end); {
		err := request(client, work, keyOf(random.Intn(keys)), value)
		now := time.Now()
		isMeasured := !began.Before(from)
		if err == nil {
			if !now.Before(from) && !now.After(end) {
				t.within++
			}
			if isMeasured {
				t.latenciesMs = append(t.latenciesMs, now.Sub(began).Seconds()*1000)
			}
		} else if isMeasured {
			t.errors++
		}
		began = now
	}
}

func request(client *clientv3.Client, work, key, value string) error {
	limited, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	var err error
	if work == "get" {
		_, err = client.Get(limited, key)
	} else {
		_, err = client.Put(limited, key, value)
	}
	return err
}

// Writes each key once.
func preload(clients []*clientv3.Client, inflight, keys int, value string) {
	var group sync.WaitGroup
	for i := 0; i < inflight; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for key := i; key < keys; key += inflight {
				if err := request(clients[i%len(clients)], "put", keyOf(key), value); err != nil {
					fail(err)
				}
			}
		}(i)
	}
	group.Wait()
}

func keyOf(number int) string {
	return fmt.Sprintf("bench-%08d", number)
}

func duration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
