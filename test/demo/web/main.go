// Command web is the demonstration's web server: one static program, all that its image holds.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	host, _ := os.Hostname()
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "Hello from a container of berth. I am %s, process %d.\n", host, os.Getpid())
	})
	s := &http.Server{Addr: ":80", ReadHeaderTimeout: 10 * time.Second}
	fmt.Println("serving on port 80")
	if err := s.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
