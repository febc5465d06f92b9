package pgbinary

import "encoding/binary"

// CopyHeader starts the data of COPY … FROM STDIN WITH (FORMAT binary): the signature, no flags and no extension.
const CopyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// CopyTrailer ends the data of a binary COPY.
const CopyTrailer = "\xff\xff"

// AppendCopyRow starts a row of a binary COPY with its number of fields, of which PostgreSQL allows 1600. The fields
// follow, each with its length: see [SetLength] and [AppendNull].
func AppendCopyRow(buf []byte, fields int) []byte {
	return binary.BigEndian.AppendUint16(buf, uint16(fields))
}

// SetLength writes the length of the value that follows the four bytes at buf[at:] into them. The caller has appended
// four bytes at that place and then the value, which must be the end of buf.
func SetLength(buf []byte, at int) {
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
}

// AppendNull appends the length -1, which stands for NULL as a field of COPY and as an element of an array.
func AppendNull(buf []byte) []byte { return append(buf, 0xff, 0xff, 0xff, 0xff) }

// AppendArrayHeader starts an array of n elements with one dimension and the lower bound 1. hasNull tells whether one of
// them is NULL. The elements follow, each with its length: see [SetLength] and [AppendNull]. For n = 0 the header is
// the whole array, which has no dimension, like '{}'.
func AppendArrayHeader(buf []byte, element uint32, n int, hasNull bool) []byte {
	var dimensions, flags uint32
	if n > 0 {
		dimensions = 1
		if hasNull {
			flags = 1
		}
	}
	buf = binary.BigEndian.AppendUint32(buf, dimensions)
	buf = binary.BigEndian.AppendUint32(buf, flags)
	buf = binary.BigEndian.AppendUint32(buf, element)
	if n > 0 {
		buf = binary.BigEndian.AppendUint32(buf, uint32(n))
		buf = binary.BigEndian.AppendUint32(buf, 1)
	}
	return buf
}
