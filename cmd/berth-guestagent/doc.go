// Command berth-guestagent is the first process of berth's virtual machine. It is Linux only, and of use nowhere else.
package main
