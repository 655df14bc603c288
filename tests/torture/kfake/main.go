// Kfake, an independent broker in memory, told of faults on standard input.
//
//	kfake-torture -advertise PORT,PORT,…     as many brokers, each of which says that it is at that port
//
// The first line of its output is the ports at which the brokers really listen. Commands, one a line:
//
//	shuffle                  leaders go to other brokers
//	fault KEY CODE COUNT     the next COUNT requests of that key are answered with an error; 7 and 20 after the work is done
//	topic NAME PARTITIONS    create a topic
//
// Each is answered by "ok" or by what is wrong. It ends with its input.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// elsewhere is a listener that says it is at another port, because kfake advertises what a listener says.
type elsewhere struct {
	net.Listener
	addr net.Addr
}

func (e elsewhere) Addr() net.Addr { return e.addr }

func main() {
	advertise := flag.String("advertise", "", "the port that each broker advertises")
	flag.Parse()

	var advertised []int
	for _, p := range strings.Split(*advertise, ",") {
		port, err := strconv.Atoi(p)
		if err != nil {
			log.Fatalf("-advertise: %v", err)
		}
		advertised = append(advertised, port)
	}
	var real []string
	listen := func(network, _ string) (net.Listener, error) {
		l, err := net.Listen(network, "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addr := *l.Addr().(*net.TCPAddr)
		real = append(real, strconv.Itoa(addr.Port))
		addr.Port = advertised[len(real)-1]
		return elsewhere{l, &addr}, nil
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(len(advertised)), kfake.ListenFn(listen))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(strings.Join(real, " "))

	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := obey(c, strings.Fields(in.Text())); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}

func obey(c *kfake.Cluster, words []string) error {
	numbers := make([]int, len(words))
	for i, w := range words {
		numbers[i], _ = strconv.Atoi(w)
	}
	switch {
	case len(words) == 1 && words[0] == "shuffle":
		c.ShufflePartitionLeaders()
		return nil
	case len(words) == 4 && words[0] == "fault":
		e, ok := kerr.ErrorForCode(int16(numbers[2])).(*kerr.Error)
		if !ok || e == nil {
			return fmt.Errorf("no error has code %s", words[2])
		}
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Key(numbers[1])}, Err: e, Count: numbers[3]})
		return nil
	case len(words) == 3 && words[0] == "topic":
		return c.CreateTopic(words[1], int32(numbers[2]), nil)
	}
	return fmt.Errorf("not a command: %s", strings.Join(words, " "))
}
