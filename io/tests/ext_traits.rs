//! What the types around streams may be moved to, shared with and unpinned from: checked by the
//! compiler.

use std::fmt::Debug;
use std::io;

use tenter_io::ext::{
    AtEof, Chain, Close, Copy, CopyBidirectional, CopyBuf, CopyError, Empty, FillBuf, Flush,
    IncompleteRead, IntoInnerError, Join, LimitOverrun, NextLine, NextSegment, NotUtf8, ReadLine,
    ReadToString, ReadUntil, ReadVectored, Repeat, Seek, Sink, Take, UnsplitError, WriteAllBuf,
    WriteAllVectored, WriteVectored,
};
use tenter_io::net::TcpStream;
use tenter_io::{
    AsyncBufRead, AsyncPeek, AsyncRead, AsyncSeek, AsyncWrite, BufReader, BufStream, BufWriter,
    Cursor, DuplexStream, Lines, ReadHalf, Split, WriteHalf,
};

fn everywhere<T: Send + Sync + Unpin + Debug>() {}
fn future<T: Future + Send + Sync + Unpin + Debug>() {}
fn reads<T: AsyncRead + Send + Sync + Unpin + Debug>() {}
fn holds<T: AsyncBufRead + AsyncPeek + Send + Sync + Unpin + Debug>() {}
fn writes<T: AsyncWrite + Send + Sync + Unpin + Debug>() {}
fn has_places<T: AsyncSeek>() {}
fn error<T: std::error::Error + Send + Sync + 'static>() {}

type Reader = BufReader<TcpStream>;
type Bytes = Cursor<Vec<u8>>;

#[test]
fn table() {
    holds::<Reader>();
    holds::<BufStream<TcpStream>>();
    holds::<BufWriter<Reader>>();
    holds::<Bytes>();
    holds::<Empty>();
    holds::<Take<Reader>>();
    holds::<Join<Reader, Sink>>();
    holds::<&'static [u8]>();
    reads::<Repeat>();
    reads::<Chain<TcpStream, Reader>>();
    reads::<DuplexStream>();
    reads::<ReadHalf<TcpStream>>();
    writes::<WriteHalf<TcpStream>>();
    writes::<DuplexStream>();
    writes::<BufStream<TcpStream>>();
    writes::<Join<Empty, TcpStream>>();
    writes::<Bytes>();
    writes::<Sink>();
    has_places::<BufReader<Bytes>>();
    has_places::<BufWriter<Bytes>>();
    everywhere::<Lines<Reader>>();
    everywhere::<Split<Reader, &str>>();

    future::<AtEof<'_, Reader>>();
    future::<FillBuf<'_, Reader>>();
    future::<ReadUntil<'_, Reader, [&str; 2]>>();
    future::<ReadLine<'_, Reader>>();
    future::<NextLine<'_, Reader>>();
    future::<NextSegment<'_, Reader, u8>>();
    future::<ReadToString<'_, TcpStream>>();
    future::<ReadVectored<'_, '_, TcpStream>>();
    future::<WriteVectored<'_, TcpStream>>();
    future::<WriteAllVectored<'_, '_, TcpStream>>();
    future::<WriteAllBuf<'_, '_, TcpStream>>();
    future::<Flush<'_, TcpStream>>();
    future::<Close<'_, TcpStream>>();
    future::<Seek<'_, Bytes>>();
    future::<Copy<'_, TcpStream, TcpStream>>();
    future::<CopyBuf<'_, Reader, TcpStream>>();
    future::<CopyBidirectional<'_, TcpStream, DuplexStream>>();

    error::<LimitOverrun>();
    error::<IncompleteRead>();
    error::<NotUtf8>();
    error::<CopyError>();
    error::<IntoInnerError<TcpStream>>();
    error::<UnsplitError<TcpStream>>();
    fn travels<T: Into<io::Error>>() {}
    travels::<LimitOverrun>();
    travels::<IncompleteRead>();
    travels::<NotUtf8>();
}

/// Trait objects have everything that does not need a size.
#[test]
fn objects_are_streams() {
    fn uses(stream: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized)) {
        use tenter_io::{AsyncReadExt, AsyncWriteExt};
        drop(stream.read(&mut [0]));
        drop(stream.write(&[0]));
    }
    trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
    impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}
    let (near, _far) = tenter_io::duplex(1);
    let mut boxed: Box<dyn Both> = Box::new(near);
    uses(&mut *boxed);
    let (read, write) = tenter_io::split(boxed);
    drop(read.unsplit(write).expect("of one stream"));
}
